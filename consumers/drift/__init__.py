"""Drift on the store: what the monitors see, the alerts they give, and what a page draws of it.

A page calls :func:`drift_paths` and :func:`funnel`; both compute on demand. Give both one
:class:`Paths` to keep what has not changed between calls.
"""

from consumers.drift.page import FunnelPoint, PathPoint, drift_paths, funnel
from consumers.drift.paths import Paths

__all__ = ["FunnelPoint", "PathPoint", "Paths", "drift_paths", "funnel"]
