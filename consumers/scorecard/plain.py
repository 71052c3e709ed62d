"""The scorecard for programs: numbers as numbers, days as days, codes as codes."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from typing import Any

import orjson

from consumers.scorecard.read import Row, Scorecard
from consumers.scorecard.shown import counts, notes
from consumers.scorecard.words import Language
from pipeline.core.scorecard import Point


def as_csv(card: Scorecard) -> bytes:
    """One line a target, with the mark by which Excel knows UTF-8."""
    rows = plain(card)
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode("utf-8-sig")


def as_json(card: Scorecard, language: Language, *, simulated: bool) -> bytes:
    """One line: the targets, each with its trend.

    Args:
        card: what is written.
        language: of the notes.
        simulated: whether nobody in it is real.
    """
    targets = [
        {**row, "trend": [_point(point, shown.points) for point in shown.series]}
        for row, shown in zip(plain(card), card.rows, strict=True)
    ]
    whole = {
        "district": card.district,
        "as_of": card.as_of,
        "known_on": card.known_on,
        "known_through": card.heard,
        "simulated": simulated,
        "counts": {key: number for key, _, number in counts(card, language)},
        "notes": notes(card, language),
        "targets": targets,
    }
    return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)


def _point(point: Point, used: tuple[Point, ...]) -> dict[str, Any]:
    return {
        "as_of": point.day,
        "value": float(point.value),
        "low": point.low,
        "high": point.high,
        "in_slope": point in used,
    }


def plain(card: Scorecard) -> list[dict[str, Any]]:
    """Every row for programs: numbers as numbers, days as days, codes as codes."""
    return [_plain(row, card) for row in card.rows]


def _plain(row: Row, card: Scorecard) -> dict[str, Any]:
    reading, target, ahead = row.reading, row.target, row.outlook
    return {
        "indicator": target.indicator,
        "name_zh": row.entry.name_zh,
        "name_en": row.entry.name_en,
        "base": target.base,
        "district": card.district,
        "window": target.window,
        "unit": row.entry.unit,
        "baseline_2015": target.baseline,
        "comparator": target.comparator,
        "target_low": _float(target.low),
        "target_high": _float(target.high),
        "accepted_low": _float(row.band.low),
        "accepted_high": _float(row.band.high),
        "as_of": card.as_of,
        "known_on": card.known_on,
        "numerator": _float(reading.numerator),
        "denominator": _float(reading.denominator),
        "value": _float(reading.value),
        "low": reading.low,
        "high": reading.high,
        "completeness": row.completeness,
        "status": row.status,
        "reason": reading.reason,
        "note": reading.note,
        "verdict": row.verdict.outcome,
        "why": row.verdict.why,
        "slope": _float(row.slope.a_year) if row.slope else None,
        "slope_low": row.slope.low if row.slope else None,
        "slope_high": row.slope.high if row.slope else None,
        "direction": row.slope.direction if row.slope else None,
        "years_left": _float(ahead.years_left),
        "needed_a_year": _float(ahead.needed),
        "projected": _float(ahead.projected),
        "projected_low": ahead.low,
        "projected_high": ahead.high,
        "course": ahead.course,
        "target_note": target.note,
    }


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
