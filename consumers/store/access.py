"""Who may read what: the one list behind the gate of the store process and a server's grants.

A view is in exactly one of these lists; a test fails on one that is in none, and on one that is
open although it has a column about a person.
"""

from __future__ import annotations

PUBLIC = (
    *("catalogue", "districts", "public_counts", "public_indicators", "simulations", "targets"),
)
"""Views for everybody: small counts suppressed."""

STATISTICS = (
    *("alerts", "baseline", "daily", "daily_as_known", "indicators", "indicators_as_known"),
    *("now", "nowcast", "nowcast_as_known", "readings", "reference", "sources"),
)
"""Exact figures without a column about a person; ``readings`` and ``alerts`` may be tables."""

PERSONAL = ("facts", "findings", "people", "records", "rejected")
"""Views whose rows are about single persons or hold what somebody sent."""

READER = frozenset(PUBLIC + STATISTICS)
"""What the role ``popflow_reader`` may read."""

PERSON_TABLES = ("finding_rows", "people_rows", "rejected_rows", "reports")
"""The tables behind the personal views."""

LOGGED = frozenset(PERSONAL + PERSON_TABLES)
"""Reading one of these is written down in ``population.reads``."""

PERSON_COLUMNS = frozenset({"person", "mother", "household", "record_id", "event"})
"""Columns that no view outside ``PERSONAL`` may have."""
