"""What the page makes of the store's answers: questions checked, targets judged, limits drawn."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from consumers.page import panels, reads
from consumers.page.errors import QuestionError
from pipeline.catalogue import TARGETS

PLAN = {target.indicator: target for target in TARGETS}


def row(value: float | None, low: float | None = None, high: float | None = None) -> reads.Row:
    return {
        "value": value, "low": low, "high": high, "completeness": None, "reason": "", "note": "",
    }  # fmt: skip


def test_a_question_gets_the_defaults_of_its_indicator() -> None:
    assert panels.which({"key": "birth_rate"}) == ("birth_rate", "hukou", "28d")
    asked = {"key": "birth_rate", "base": "resident", "window": "year"}
    assert panels.which(asked) == ("birth_rate", "resident", "year")
    assert panels.area({}) == "320500"
    assert panels.area({"district": "320583"}) == "320583"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "there is no indicator"),
        ({"key": "birth_rate", "base": ""}, "has no base"),
        ({"key": "birth_rate", "window": "1d"}, "has no window"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_those_that_do(
    asked: dict[str, str], said: str
) -> None:
    with pytest.raises(QuestionError, match=said) as caught:
        panels.which(asked)
    assert "'" in str(caught.value)


def test_a_long_name_is_not_said_back_whole() -> None:
    with pytest.raises(QuestionError) as caught:
        panels.area({"district": "9" * 5000})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("indicator", "figure", "outcome"),
    [
        ("migrant_management_rate", row(99.5, 99.2, 99.7), "met"),
        ("migrant_management_rate", row(83.0, 82.0, 84.0), "not_met"),
        ("migrant_management_rate", row(99.0, 98.7, 99.3), "cannot_tell"),
        ("sex_ratio_at_birth", row(105.0, 103.5, 106.5), "met"),
        ("sex_ratio_at_birth", row(113.0, 111.0, 115.0), "not_met"),
        ("infant_mortality", row(None), "cannot_tell"),
        ("share_60_plus", row(25.0), "watched"),
    ],
)
def test_targets_are_judged_by_the_whole_interval(
    indicator: str, figure: dict[str, Any], outcome: str
) -> None:
    assert panels.verdict(PLAN[indicator], figure).outcome == outcome


def test_the_funnel_narrows_around_the_ratio_of_the_city() -> None:
    share = 105 / 205
    few, many = panels._limits(100, share), panels._limits(10_000, share)
    assert few["low998"] < few["low95"] < many["low95"] < 105
    assert 105 < many["high95"] < few["high95"] < few["high998"]


@pytest.mark.parametrize(("days", "usual", "silent"), [(10, 182, 10), (3, 182, 0), (40, 10, 0)])
def test_a_silence_is_worth_a_word_when_chance_does_not_explain_it(
    days: int, usual: int, silent: int
) -> None:
    feed = {"last_day": reads.today() - timedelta(days=days), "usual": usual}
    assert panels._silent(feed) == silent
    assert panels._silent({"last_day": None, "usual": 0}) == 0


def test_ends_of_months_before_a_day() -> None:
    assert reads.month_ends(date(2024, 3, 31), 2) == [date(2024, 2, 29), date(2024, 1, 31)]
