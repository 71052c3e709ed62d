"""``popflow report`` and ``popflow explain`` on a simulated city, as a user calls them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from consumers.indicators import readings
from pipeline.catalogue import TARGETS
from pipeline.cli.common import SIMULATED
from pipeline.cli.demo import CURSOR
from pipeline.cli.publish import SPOOL
from schemas.districts import CITY, INSIDE
from tests.e2e.stack import OWN_PORTS, RunningStack

AS_OF = date(2018, 6, 30)
"""Half of the plan is over."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(
        tmp_path_factory.mktemp("city") / "stack", env={**OWN_PORTS, "COLUMNS": "200"}
    ).start()
    told = stack.popflow(
        *("simulate", "--seed", "5", "--scale", "0.0002", "--start", "2016-07-01"),
        *("--until", AS_OF.isoformat()),
    )
    assert told.returncode == 0, told.stderr
    people = stack.folder / "people.csv"
    rows = [
        f"2016-06-30,2016-07-20,{place},{sex},{born},2"
        for place in sorted(INSIDE)
        for sex in "12"
        for born in range(1940, 2016)
    ]
    people.write_text("as_of,known_on,district,sex,birth_year,value\n" + "\n".join(rows) + "\n")
    assert stack.popflow("baseline", "load", str(people)).returncode == 0
    assert stack.popflow("status", "--wait", "120").returncode == 0
    yield stack
    assert stack.stop() == 0


def said(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    return done.stderr


def test_report_says_what_is_read(city: RunningStack) -> None:
    card = said(city.popflow("report", "--json"))
    assert card["as_of"] == AS_OF.isoformat(), "the newest day that is known of"
    assert card["simulated"] is True
    assert [row["indicator"] for row in card["targets"]] == [t.indicator for t in TARGETS]
    found = {reading.key: reading for reading in readings(city.store, AS_OF)}
    for row in card["targets"]:
        reading = found[row["indicator"], row["base"], row["district"], row["window"]]
        assert row["value"] == (None if reading.value is None else float(reading.value))
        assert (row["low"], row["high"]) == (reading.low, reading.high)
    managed = next(r for r in card["targets"] if r["indicator"] == "migrant_management_rate")
    assert managed["verdict"] == "not_met", "the simulated city forgets to register"
    assert managed["needed_a_year"] > 0
    assert len([point for point in managed["trend"] if point["in_slope"]]) >= 2


def test_report_of_a_day_as_known_on_another(city: RunningStack) -> None:
    asked = ("report", "--as-of", "2017-12-31", "--known-on", "2018-01-02", "--json")
    first, later = (
        said(city.popflow(*asked)),
        said(city.popflow(*asked[:4], "2018-06-30", "--json")),
    )
    assert (first["known_on"], first["known_through"]) == ("2018-01-02", "2018-01-02")
    known, more = ({r["indicator"]: r for r in card["targets"]} for card in (first, later))
    late = known["reimbursement_employee"]["denominator"]
    assert late < more["reimbursement_employee"]["denominator"], "bills that were told later"
    assert known["reimbursement_employee"]["completeness"] < 1


def test_report_is_written_in_every_form(city: RunningStack, tmp_path: Path) -> None:
    page, sheet = tmp_path / "card.html", tmp_path / "card.xlsx"
    for path in (page, sheet):
        done = city.popflow("report", "--output", str(path), "--language", "en")
        assert done.returncode == 0, done.stderr
        assert path.name in done.stdout
    assert "simulated data, nobody in it is real" in page.read_text("utf-8")
    assert page.read_text("utf-8").count("<svg") >= 8
    assert load_workbook(sheet).worksheets[0].max_row == 1 + len(TARGETS)
    drawn = city.popflow("report", "--district", "昆山")
    assert drawn.returncode == 0, drawn.stderr
    assert "昆山市 · 人口发展规划计分卡" in drawn.stdout
    assert "目标只针对" in drawn.stdout


def test_wrong_use_of_report(city: RunningStack, tmp_path: Path) -> None:
    assert "--output FILE.xlsx" in refused(city.popflow("report", "--format", "xlsx"))
    assert "昆山市" in refused(city.popflow("report", "--district", "320584x"))
    assert "2018-12-31" in refused(city.popflow("report", "--as-of", "31.12.2018"))
    assert ".xlsx" in refused(city.popflow("report", "--output", str(tmp_path / "card.doc")))
    nowhere = tmp_path / "nowhere"
    assert str(nowhere) in refused(city.popflow("report", "--output", str(nowhere / "card.html")))


@pytest.mark.parametrize(
    ("indicator", "district"),
    [("birth_rate", "city"), ("migrant_management_rate", "320583"), ("mean_stay_days", "吴江")],
)
def test_explain_adds_up(city: RunningStack, indicator: str, district: str) -> None:
    found = said(city.popflow("explain", indicator, district, "--limit", "0", "--json"))
    assert found["adds_up"] is True
    assert found["as_of"] == AS_OF.isoformat()
    for part in found["parts"]:
        based = sum(each["amount"] for each in part["baselines"])
        assert sum(cell["amount"] for cell in part["cells"]) + based == part["amount"]
        assert sum(each["amount"] for each in part["records"]) + based == part["amount"]
        assert part["cells_more"] == part["records_more"] == 0
        for each in part["records"]:
            for record in each["records"]:
                assert all(told["offset"] >= 0 and told["topic"] for told in record["reports"])
    (reading,) = [
        each
        for each in readings(
            city.store,
            AS_OF,
            indicators=[indicator],
            districts=[found["district"]],
            windows=[found["window"]],
        )
        if each.base == found["base"]
    ]
    assert found["numerator"] == reading.numerator
    assert found["denominator"] == float(reading.denominator or 0)


def test_explain_is_drawn(city: RunningStack) -> None:
    done = city.popflow("explain", "migrant_management_rate", CITY, "2018-03-01", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert "流动人口服务管理率 [全部, 当日] = 在管流动人口 ÷ 已知流动人口 × 100 (%)" in done.stdout
    assert "待办：在分母而不在分子" in done.stdout
    assert "population.permits.v1/" in done.stdout


def test_wrong_use_of_explain(city: RunningStack) -> None:
    assert "did you mean 'birth_rate'" in refused(city.popflow("explain", "birth_rat", "320508"))
    assert "吴江区" in refused(city.popflow("explain", "birth_rate", "Wujang"))
    told = refused(city.popflow("explain", "birth_rate", "city", "--window", "30d"))
    assert "'28d'" in told
    assert "'364d'" in told
    assert "2018-12-31" in refused(city.popflow("explain", "birth_rate", "city", "yesterday"))


def test_a_simulated_city_leaves_its_traces() -> None:
    assert {CURSOR, SPOOL} == set(SIMULATED)
