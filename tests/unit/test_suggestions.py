"""Suggestions for refused messages, corrections that are kept, the weekly note; without a store."""

from __future__ import annotations

import re
import stat
from datetime import date
from pathlib import Path
from typing import Any

import click
import orjson
import pytest

from consumers.fixes import FixError, Fixes
from consumers.quality import (
    Delay,
    Quality,
    RefusedOfCode,
    monday_of,
    refusals_exceed,
    week_before,
)
from consumers.quality_note import as_dict, note
from consumers.rejected import CannotMendError, Rejected, changes_of, mended, source_of
from consumers.suggestions import suggestion
from pipeline.cli import main as popflow
from schemas.reading import read
from schemas.refusals import Code, Refusal
from tests.contract.support import LEGAL, event, spelled

MONDAY = date(2016, 2, 29)


def message(document: Any, code: str = "schema", reason: str = "") -> Rejected:
    value = document if isinstance(document, str) else spelled(document).decode()
    return Rejected("ab12", code, reason, "population.births.v1", 0, 1, None, 1, value, False)


def refused(document: dict[str, Any]) -> tuple[str, str]:
    found = read(spelled(document))
    assert isinstance(found, Refusal)
    return found.code.value, found.reason


@pytest.mark.parametrize(
    ("document", "command"),
    [
        (event("birth", distrct="320508", district=...), "--rename distrct=district"),
        (event("birth", colour=1), "--set colour=null"),
        (event("birth", mother=...), "--set mother=VALUE"),
        (event("birth", mother=..., district=...), "--set district=VALUE --set mother=VALUE"),
        (event("birth", revision="1"), "--set revision=VALUE"),
        (event("birth", sex=1), "--set sex=VALUE"),
        (event("birth", person=12), "--set person='\"VALUE\"'"),
        (event("birth", defects=["X"]), "--set defects=VALUE"),
    ],
)
def test_a_field_that_does_not_fit_is_named_in_the_command(
    document: dict[str, Any], command: str
) -> None:
    code, reason = refused(document)
    told = suggestion(code, reason, spelled(document).decode(), "ab12")
    assert told.command == f"popflow rejected fix ab12 {command}"


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_suggestion_whose_command_exists(code: Code) -> None:
    masked = spelled(event("birth", household="*" * 18)).decode()
    told = suggestion(code, "district is no known district.", masked)
    assert len(told.english) > 20
    assert re.search("[一-鿿]", told.chinese)
    words = told.command.split()[1:]
    command: click.Command = popflow
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, told.command
        command = found
    command.make_parser(click.Context(command)).parse_args(words)
    assert LEGAL not in str(told)


def test_a_suggestion_shows_no_number() -> None:
    document = event("birth", **{LEGAL: 1})
    told = suggestion(
        "schema", f"{LEGAL}: Extra inputs are not permitted.", spelled(document).decode()
    )
    assert LEGAL not in str(told)
    masked = suggestion("plain_identity", "", spelled(event("birth", household="*" * 18)).decode())
    assert "--set household=PSEUDONYM" in masked.command


# -- corrections


def test_numerals_of_string_fields_are_strings() -> None:
    one = message(event("birth"))
    texts = [("sex", "2"), ("weight_g", "3250"), ("district", "320508"), ("void", "true")]
    assert changes_of(one, texts) == {
        "sex": "2",
        "weight_g": 3250,
        "district": "320508",
        "void": True,
    }
    assert changes_of(message("{"), [("sex", "2"), ("x", "a b")]) == {"sex": 2, "x": "a b"}


def test_changed_documents() -> None:
    one = message({"a": 1, "b": None})
    assert mended(one, {"a": None, "c": 2}) == {"c": 2}
    with pytest.raises(CannotMendError, match="publisher must send it anew"):
        mended(message("[1]"), {})


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ('{"source": "health.a"}', "health.a"),
        ('{"source": "hospital"}', ""),
        ('{"source": 1}', ""),
        ("[]", ""),
        ("{", ""),
    ],
)
def test_whose_a_message_says_it_is(value: str, source: str) -> None:
    assert source_of(message(value)) == source


def test_corrections_add_up_and_hold_no_number(tmp_path: Path) -> None:
    fixes = Fixes(tmp_path)
    assert fixes.read("ab12") == {}
    fixes.keep("ab12", {"sex": "2", "extra": None})
    assert fixes.read("ab12") == {"sex": "2", "extra": None}
    (file,) = (tmp_path / "fixes").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for wrong in ({"household": LEGAL}, {LEGAL: 1}, {"a": ["320502500615001"]}):
        with pytest.raises(FixError, match="write the pseudonym in its place") as caught:
            fixes.keep("ab12", wrong)
        assert LEGAL not in str(caught.value)
    assert fixes.read("ab12") == {"sex": "2", "extra": None}
    for damaged in (b"{", b"[]"):
        file.write_bytes(damaged)
        with pytest.raises(FixError, match="is damaged: remove it"):
            fixes.read("ab12")
    fixes.drop("ab12")
    fixes.drop("ab12")
    with pytest.raises(FixError, match="no number of a refused message"):
        fixes.read("../city")


# -- the weekly note


def test_a_share_of_refusals_that_wants_a_look() -> None:
    assert not refusals_exceed(0, 19), "a few say nothing"
    assert refusals_exceed(0, 20)
    assert not refusals_exceed(380, 20), "exactly one in twenty"
    assert refusals_exceed(379, 20)
    assert not refusals_exceed(0, 0)


def test_weeks() -> None:
    assert monday_of("2016-W09") == MONDAY
    assert week_before(date(2016, 3, 7)) == MONDAY
    assert week_before(date(2016, 3, 13)) == MONDAY
    for wrong in ("2016-9", "2016-W9", "16-W09", "2016-W54", "week"):
        with pytest.raises(ValueError, match="write it like 2026-W10"):
            monday_of(wrong)


FULL = Quality(
    "health.a",
    MONDAY,
    {"birth": 1200, "death": 30},
    corrections=12,
    withdrawals=3,
    refused=(
        RefusedOfCode("schema", 90, 10, (("ab12", "mother: Field required. Correct | it."),)),
        RefusedOfCode("plain_identity", 2, 0, (("cd34", "The message holds a number."),)),
    ),
    delays=(Delay("birth", 1100, 3.0, 17.5, 400),),
    silent=(date(2016, 3, 5), date(2016, 3, 6)),
    findings={"sex_conflict": 4},
)


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        (
            "en",
            [
                "# Weekly quality note · health.a · 2016-W09 (2016-02-29 – 2016-03-06)",
                "- Accepted: 1,230 (corrections 12, withdrawals 3)",
                "- Refused: 92 (share refused 7.0%)",
                "- Days without any message: 2016-03-05, 2016-03-06",
                "- **Too much is refused: please look soon**",
                "| birth | 1,200 | 3 | 17.5 | 400 |",
                "| fields do not fit (`schema`) | 90 | 10 | `ab12` mother: Field required |",
                "- `sex_conflict`: 4",
            ],
        ),
        (
            "zh",
            [
                "# 数据质量周报 · health.a · 2016-W09",
                "- 接收: 1,230 (更正 12, 撤销 3)",
                "| 出生 | 1,200 | 3 | 17.5 | 400 |",
                "| 含明文身份证号码 (`plain_identity`) | 2 | 0 | `cd34` | 由发布方换成假名后更正",
                "## 待核查",
            ],
        ),
    ],
)
def test_the_note_says_how_the_week_was(language: Any, parts: list[str]) -> None:
    written = note(FULL, language)
    for part in parts:
        assert part in written
    tables = [line for line in written.splitlines() if line.startswith("|")]
    assert {line.count("|") - line.count("\\|") for line in tables} == {6}


def test_a_week_without_anything() -> None:
    silent = Quality("health.a", MONDAY)
    assert "Nothing was sent this week." in note(silent, "en")
    assert silent.refused_share is None
    assert not silent.needs_a_look


def test_the_note_for_programs() -> None:
    written = as_dict(FULL)
    assert orjson.loads(orjson.dumps(written)) == written
    assert written["needs_a_look"] is True
    assert written["refused"][0]["examples"][0]["id"] == "ab12"
    assert LEGAL not in str(as_dict(Quality(f"health.{LEGAL}", MONDAY)))
