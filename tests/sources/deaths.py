"""Contract events as the gateway's publisher sends them."""

from __future__ import annotations

import json
from typing import Any

BASE: dict[str, Any] = {
    "kind": "death",
    "record_id": "D-1",
    "revision": 1,
    "source": "health.h7",
    "recorded_at": "2026-03-04T09:00:00+08:00",
    "person": "00112233445566778899aabbccddeeff",
    "died_on": "2026-03-03",
    "district": "320583",
    "residency": "hukou",
    "sex": "1",
    "cause": "I21.9",
}


def death(**changed: Any) -> dict[str, Any]:
    """One death; a field that is None is left out."""
    return {name: value for name, value in {**BASE, **changed}.items() if value is not None}


def written(case: dict[str, Any]) -> bytes:
    """The bytes of a case."""
    if "raw" in case:
        return str(case["raw"]).encode()
    fields = {**BASE, **case["with"]}
    long = {name: "x" * int(v[1:]) for name, v in fields.items() if str(v).startswith("$")}
    fields.update(long)
    if case["with"].get("kind", "") is None:
        del fields["kind"]
    return json.dumps(fields, ensure_ascii=False).encode()
