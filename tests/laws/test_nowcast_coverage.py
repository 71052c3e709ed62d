"""The nowcast's 90 % intervals hold what became known later in 85 to 95 of 100 days."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.laws.coverage import SCENARIOS, SEED, Scenario, of_scenario, of_triangle, triangle

PRINTED = Path(__file__).parents[2] / "pipeline/catalogue/README.md"


def _within(held: int, made: int) -> str:
    assert 0.85 <= held / made <= 0.95
    return f"{100 * held / made:.1f} %"


def test_the_triangle_is_the_published_one() -> None:
    counts = triangle()
    assert counts.sum() == 6215
    assert counts[:6].sum(axis=1).tolist() == [12, 12, 14, 15, 30, 39]


def test_on_a_real_triangle_of_delays() -> None:
    held, made = of_triangle()
    assert made > 150
    shown = _within(held, made)
    assert f"| {made} | {shown} |" in PRINTED.read_text("utf-8")


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name_en)
def test_on_simulated_delays(scenario: Scenario) -> None:
    held, made = of_scenario(scenario, SEED)
    assert made > 1000
    shown = _within(held, made)
    row = f": {scenario.name_en} | {made} | {shown} |"
    assert row in PRINTED.read_text("utf-8"), row
