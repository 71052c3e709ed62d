"""Hypothesis for all tests: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("popflow", deadline=None)
settings.load_profile("popflow")
