"""From a hospital's message to the figure: sent, corrected, withdrawn, over HL7, FHIR and HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.stack import RunningStack
from tests.integration.test_listen_hl7 import asked, code
from tests.integration.test_listen_http import Desk
from tests.sources import adt, resources
from tests.sources.deaths import death
from tests.sources.listening import Listener

DAY, DISTRICT = "2026-02-17", "320508"


def figure(stack: RunningStack, measure: str, district: str = DISTRICT) -> int:
    stack.settle()
    rows = stack.daily()
    return sum(n for row, n in rows.items() if row[:3] == (DAY, district, measure))


def test_messages_become_figures(stack: RunningStack, tmp_path: Path) -> None:
    stack.popflow("source", "add", "health.h7", "--priority", "9")
    bootstrap = stack.ready["bootstrap"]
    before = {name: figure(stack, name) for name in ("discharges", "fund_fen")}
    with Listener("hl7", tmp_path / "hl7", bootstrap) as listener:
        fields = {44: "20260215", 45: "20260217"}
        sent = adt.discharge("E1", case="BA-E2E", pv1=fields, recorded="20260217")
        assert code(asked(listener.port, sent)) == "AA"
        assert figure(stack, "discharges") == before["discharges"] + 1
        assert figure(stack, "fund_fen") == before["fund_fen"] + 490_000
        newer = {"written": "20260306110000"}
        mended = adt.discharge(
            "E2", "A08", case="BA-E2E", pv1=fields, recorded="20260217", header=newer
        ).replace("|4900.00", "|4000.00")
        for _ in range(2):
            assert code(asked(listener.port, mended)) == "AA"
        assert figure(stack, "fund_fen") == before["fund_fen"] + 400_000
        newest = {"written": "20260306120000"}
        cancelled = adt.discharge("E3", "A13", case="BA-E2E", pv1=fields, header=newest)
        assert code(asked(listener.port, cancelled)) == "AA"
        assert figure(stack, "discharges") == before["discharges"]
    with Listener("http", tmp_path / "http", bootstrap) as running:
        desk = Desk(running)
        births, deaths = figure(stack, "births", "320583"), figure(stack, "deaths", "320583")
        newborn = resources.newborn("B-E2E")
        newborn[0]["birthDate"] = DAY
        assert desk.ask("/fhir", resources.bundle(newborn)).status == 200
        assert desk.ask("/v1/events", death(record_id="D-E2E", died_on=DAY)).status == 202
        assert figure(stack, "births", "320583") == births + 1
        assert figure(stack, "deaths", "320583") == deaths + 1
