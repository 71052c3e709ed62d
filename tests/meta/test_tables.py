"""What the READMEs say of settings, metrics, commands, packages and dependencies is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipeline.catalogue import INDICATORS
from pipeline.catalogue.formulas import formula
from tests.meta.documents import blocks
from tests.meta.tables import CATALOGUE, READMES, ROOT, catalogue_tables, tables, with_tables


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
class TestReadme:
    def test_tables_are_today_s(self, path: Path) -> None:
        text = path.read_text("utf-8")
        for name, table in tables().items():
            assert f"<!-- table: {name} -->" in text
            assert table.count("\n") > 5, f"the table {name} is empty"
        assert with_tables(text) == text, "run make generate"

    def test_every_dependency_has_its_reason(self, path: Path) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        needed = {re.split(r"[\[<>=]", line)[0] for line in project["dependencies"]}
        assert _first_column(path, "pyproject.toml", "requirements.lock") == needed

    def test_every_package_is_on_the_map(self, path: Path) -> None:
        folders = {p.parent.name for p in ROOT.glob("*/__init__.py")}
        assert _first_column(path, "[`schemas`]") == folders

    def test_it_is_short(self, path: Path) -> None:
        assert path.read_text("utf-8").count("\n") <= 360


def _first_column(path: Path, *marks: str) -> set[str]:
    """Names in the first column of the table after, or with, the first of the marks found."""
    text = path.read_text("utf-8")
    start = next(text.index(mark) for mark in marks if mark in text)
    table = re.search(r"(?:^\|.*\n)+", text[text.rindex("\n## ", 0, start) :], re.MULTILINE)
    assert table is not None
    cells = [line.split("|")[1] for line in table[0].splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_both_languages_show_the_same_code() -> None:
    english, chinese = ([(b.language, b.code) for b in blocks(path)] for path in READMES)
    assert english == chinese


def test_the_catalogue_s_page_is_today_s() -> None:
    text = CATALOGUE.read_text("utf-8")
    for name in catalogue_tables():
        assert f"<!-- table: {name} -->" in text
    assert with_tables(text) == text, "run make generate"


def test_the_formula_of_every_indicator_is_printed() -> None:
    text = CATALOGUE.read_text("utf-8")
    for key, entry in INDICATORS.items():
        assert f"| `{key}` |" in text
        assert all(words in text for words in formula(entry)), key
