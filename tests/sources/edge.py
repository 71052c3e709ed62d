"""The hospital of the cases, and what may never be seen of its patients."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

from producers.pseudonyms import Pseudonymizer
from producers.sources.clinical import Sender

CASES = Path(__file__).parents[1] / "cases" / "sources"
KEY = b"k" * 32
ON = date(2026, 3, 7)
FACILITIES = {"H7": "320508", "H8": "320583"}
SENDER = Sender("health.h7", Pseudonymizer(KEY), FACILITIES)


def cases(source: str) -> list[dict[str, Any]]:
    """The cases of one source."""
    found: list[dict[str, Any]] = yaml.safe_load((CASES / source / "cases.yaml").read_text("utf-8"))
    return found
