"""Refused messages of one publisher: grouped, corrected step by step, sent, told of weekly."""

from __future__ import annotations

import json
import stat
import time
import urllib.request
from typing import Any

import pytest

from tests.contract.support import LEGAL, event, spelled
from tests.e2e.stack import RunningStack

BIRTHS = "population.births.v1"
SOURCE = "health.fixing"


def said(stack: RunningStack, *arguments: str, code: int = 0) -> Any:
    done = stack.popflow(*arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def sent(stack: RunningStack) -> dict[str, dict[str, Any]]:
    """One source's week: two good events, a correction, and refusals of four kinds."""
    assert stack.popflow("source", "add", SOURCE, "--priority", "7").returncode == 0
    good = event("birth", source=SOURCE, record_id="FIX-0")
    messages = {
        "good": good,
        "other": {**good, "record_id": "FIX-1", "person": "e" * 32},
        "corrected": {**good, "record_id": "FIX-1", "person": "e" * 32, "revision": 2},
        "misspelt": {
            **{name: value for name, value in good.items() if name != "district"},
            "record_id": "FIX-2",
            "distrct": "320508",
            "sex": 3,
        },
        "missing": {**good, "record_id": "FIX-3", "colour": "red"},
        "district": {**good, "record_id": "FIX-4", "district": "320599"},
        "plain": {**good, "record_id": "FIX-5", "household": LEGAL},
    }
    now = int(time.time() * 1000)
    stack.publish((BIRTHS, now, spelled(one), None) for one in messages.values())
    stack.settle()
    return messages


def waiting(stack: RunningStack, record_id: str) -> list[dict[str, Any]]:
    found = said(stack, "rejected", "list", "--source", SOURCE)
    return [m for m in found if json.loads(m["value"])["record_id"] == record_id]


def test_groups_by_source_and_reason(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    groups = said(stack, "rejected", "list", "--groups", "--source", SOURCE)
    assert {group["source"] for group in groups} == {SOURCE}
    assert {group["code"]: group["messages"] for group in groups} == {
        "schema": 2,
        "unknown_district": 1,
        "plain_identity": 1,
    }
    ids = {m["id"] for m in said(stack, "rejected", "list", "--source", SOURCE)}
    assert {one for group in groups for one in group["ids"]} == ids
    assert all(group["suggestion"]["command"] for group in groups)
    shown = stack.popflow("rejected", "list", "--source", SOURCE).stdout
    assert f"{SOURCE} · schema  2" in shown
    assert "--rename distrct=district" in " ".join(shown.split())
    assert LEGAL not in shown + json.dumps(groups)
    assert max(map(len, shown.splitlines())) <= 100
    only = said(stack, "rejected", "list", "--groups", "--code", "schema", "--source", SOURCE)
    assert [group["code"] for group in only] == ["schema"]


def test_corrections_add_up_until_they_are_sent(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    (message,) = waiting(stack, "FIX-2")
    shown = stack.popflow("rejected", "show", message["id"]).stdout
    assert f"popflow rejected fix {message['id']} --rename distrct=district" in shown

    (half,) = said(stack, "rejected", "fix", message["id"], "--rename", "distrct=district", code=1)
    assert half["code"] == "schema"
    assert half["changes"] == [
        {"field": "distrct", "before": "320508", "after": None},
        {"field": "district", "before": None, "after": "320508"},
    ]
    (whole,) = said(stack, "rejected", "fix", message["id"], "--set", "sex=2")
    assert (whole["code"], len(whole["changes"])) == (None, 3)
    drawn = stack.popflow("rejected", "fix", message["id"]).stdout
    assert '- distrct: "320508"' in drawn
    assert '+ district: "320508"' in drawn
    assert "- sex: 3" in drawn
    assert f"ready: popflow rejected resend {message['id']}" in " ".join(drawn.split())
    kept = stack.folder / "fixes" / f"{message['id']}.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert waiting(stack, "FIX-2") == [message], "nothing was sent yet"

    assert said(stack, "rejected", "resend", message["id"]) == {"resent": 1, "mended": 1}
    stack.settle()
    assert waiting(stack, "FIX-2") == []
    assert not kept.exists()
    assert stack.store.query(
        "SELECT district FROM population.records WHERE record_id = 'FIX-2'"
    ) == [("320508",)]


def test_a_correction_is_undone(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    (message,) = waiting(stack, "FIX-4")
    said(stack, "rejected", "fix", message["id"], "--set", "district=320508")
    (undone,) = said(stack, "rejected", "fix", message["id"], "--undo", code=1)
    assert (undone["changes"], undone["code"]) == ([], "unknown_district")


def test_no_correction_takes_a_plain_number(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    (message,) = waiting(stack, "FIX-5")
    done = stack.popflow("rejected", "fix", message["id"], "--set", f"household={LEGAL}")
    assert done.returncode == 1
    assert "write the pseudonym in its place" in done.stderr
    assert LEGAL not in done.stdout + done.stderr
    said(stack, "rejected", "fix", message["id"], "--set", f"household={'ab' * 16}")
    said(stack, "rejected", "resend", message["id"])
    assert stack.popflow("rejected", "fix", "zz", "--set", "a=1").returncode == 1
    assert stack.popflow("rejected", "fix", "zz", "--rename", "a").returncode == 2


def test_the_weekly_note(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    week = time.strftime("%G-W%V", time.gmtime(time.time() + 8 * 3600))
    (one,) = said(stack, "rejected", "quality", "--week", week, "--source", SOURCE)
    assert one["accepted"]["birth"] >= 3
    assert one["corrections"] == 1
    codes = {part["code"]: part["messages"] for part in one["refused"]}
    assert codes == {"schema": 2, "unknown_district": 1, "plain_identity": 1}
    (delay,) = one["delays"]
    assert (delay["kind"], delay["latest"] > 300) == ("birth", True)
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    assert today not in one["silent"]
    note = stack.popflow("rejected", "quality", "--week", week, "--source", SOURCE).stdout
    assert note.startswith(f"# 数据质量周报 · {SOURCE} · {week}")
    assert LEGAL not in note + json.dumps(one)
    names = {one["source"] for one in said(stack, "rejected", "quality")}
    assert names >= {SOURCE, "police.permits"}, "the silent ones too"
    assert stack.popflow("rejected", "quality", "--week", "now").returncode == 2
    missing = stack.popflow("rejected", "quality", "--source", "health.nobody")
    assert "is not registered and sent nothing" in missing.stderr


def test_metrics_name_registered_sources_only(stack: RunningStack, sent: dict[str, Any]) -> None:
    assert sent
    stranger = event("birth", source="health.stranger", record_id="FIX-9")
    stack.publish([(BIRTHS, int(time.time() * 1000), spelled(stranger), None)])
    stack.settle()
    pages = b""
    for url in stack.ready["workers"]:
        with urllib.request.urlopen(url) as answer:
            pages += answer.read()
    text = pages.decode()
    assert f'popflow_events_refused_total{{code="schema",source="{SOURCE}"}}' in text
    assert f'popflow_events_accepted_total{{kind="birth",source="{SOURCE}"}}' in text
    assert 'popflow_events_refused_total{code="unknown_source",source="other"}' in text
    assert "health.stranger" not in text
