"""Sources are found by entry points, ours and those of other packages; commands around them."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main as popflow
from producers.keys import ENVIRONMENT
from producers.sources import form
from producers.sources.files import SourceError, read_file
from tests.contract.support import LEGAL

README = Path(__file__).parents[2] / "producers" / "README.md"
MAPPING = """
kind = "death"
source = "health.hospitals"
[fields]
record_id = "证号"
revision = { constant = 1 }
recorded_at = "填报"
person = { column = "身份证", pseudonym = "id" }
died_on = "日期"
district = { constant = "320583" }
residency = { constant = "hukou" }
sex = { column = "性别", codes = "sex" }
"""
TABLE = f"证号,填报,身份证,日期,性别\nD1,2016-03-06,{LEGAL},2016-03-05,男\n"


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of somebody else that brings a source for files that end with ``.fwf``."""
    (tmp_path / "fixed_width.py").write_text(
        "from producers.sources.form import FileSource, Record, Records\n"
        "def read(file, layout):\n"
        "    rows = (Record(n, {'a': line.decode()}) for n, line in enumerate(file, 1))\n"
        "    return Records(('colour',), rows)\n"
        "SOURCE = FileSource('fwf', ('定宽', 'fixed width'), 'popflow publish', ('.fwf',), read)\n"
        "WRONG = 1\n"
    )
    dist = tmp_path / "fixed_width-1.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: fixed-width\nVersion: 1\n")
    (dist / "entry_points.txt").write_text("[popflow.sources]\nfwf = fixed_width:SOURCE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    form.sources.cache_clear()
    yield dist
    form.sources.cache_clear()
    sys.modules.pop("fixed_width", None)


def test_our_sources_are_found_and_documented() -> None:
    found = form.sources()
    assert set(found) >= {"csv", "tsv", "excel", "ndjson", "counts", "sql"}
    page = README.read_text("utf-8")
    table = page[page.index("| source 来源") :].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    documented = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert documented <= set(found)
    assert documented >= {"csv", "tsv", "excel", "ndjson", "counts", "sql"}
    assert {".csv", ".tsv", ".xlsx", ".ndjson", ".json"} <= set(form.file_sources())


def test_a_source_of_another_package_is_found(other_package: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.fwf"
    path.write_text("red\n")
    with pytest.raises(SourceError, match=r"t\.fwf: the header does not tell the kind"):
        list(read_file(path))
    form.sources.cache_clear()
    (other_package / "entry_points.txt").write_text("[popflow.sources]\nfwf = fixed_width:WRONG\n")
    with pytest.raises(SourceError, match=r"\(fixed_width:WRONG\) is no source of that name"):
        form.sources()


# -- commands


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text(MAPPING, "utf-8")
    (tmp_path / "t.csv").write_text(TABLE, "gb18030")
    assert run("key", "new", "city.key").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(popflow, [*arguments, "--data", "none"])


def said(*arguments: str, code: int = 0) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_dry_run_says_what_would_be_sent(office: Path) -> None:
    call = ("publish", "t.csv", "--mapping", "m.toml", "--key-file", "city.key", "--check")
    assert said(*call) == {
        "accepted": 1,
        "by_kind": {"death": 1},
        "withdrawn": 0,
        "refused": 0,
        "registry": False,
        "faults": [],
    }
    with (office / "t.csv").open("a", encoding="gb18030") as table:
        table.write(f"D2,2016-03-06,{LEGAL},2016年3月,女\nD3,2016-03-06,{LEGAL},2016-03-07,女\n")
    checked = said(*call, code=1)
    assert (checked["accepted"], checked["refused"]) == (1, 2)
    assert [(fault["line"], fault["code"]) for fault in checked["faults"]] == [
        (3, "cell"),
        (4, "impossible_date"),
    ]
    shown = run(*call)
    assert shown.exit_code == 1
    for part in ("行 line", "原因 reason", "更正 mend", "1 right", "2 wrong", "nothing was sent"):
        assert part in " ".join(shown.stdout.split())
    assert not (office / "none").exists(), "nothing was kept either"


def test_the_key_file_may_be_a_setting(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("publish", "t.csv", "--mapping", "m.toml", "--check")
    missing = run(*call)
    assert missing.exit_code == 2
    assert "person must become pseudonyms: name the file" in missing.stderr
    monkeypatch.setenv(ENVIRONMENT, str(office / "city.key"))
    assert said(*call)["accepted"] == 1


def test_wrong_use_is_told(office: Path) -> None:
    assert office
    for arguments, told in [
        (("t.csv", "--mapping", "m.toml", "--kind", "death"), "the mapping says the kind"),
        (("t.csv", "--rotate"), "--rotate needs --mapping"),
        (("t.csv", "--check", "--counts"), "a table of --counts has none"),
        (
            ("t.csv", "--mapping", "m.toml", "--key-file", "city.key", "--rotate"),
            "the key file has no earlier key",
        ),
        (("t.csv", "--mapping", "t.csv"), "is no TOML in UTF-8"),
    ]:
        done = run("publish", *arguments)
        assert (done.exit_code, told in done.stderr) == (2, True), done.stderr


def test_keys_are_made_rotated_and_compared(office: Path) -> None:
    (first,) = said("key", "list", "city.key")
    assert first["algorithm"] == "hmac-sha256"
    again = run("key", "new", "city.key")
    assert (again.exit_code, "exists and is not replaced" in again.stderr) == (1, True)
    new, old = said("key", "rotate", "city.key", "--id", "2026", "--algorithm", "hmac-sm3")
    assert (new["id"], new["algorithm"], old) == ("2026", "hmac-sm3", first)
    secret = (office / "city.key").read_text().split()[2]
    assert secret not in run("key", "list", "city.key").output
    call = ("publish", "t.csv", "--mapping", "m.toml", "--key-file", "city.key", "--check")
    rotated = said(*call, "--rotate")
    assert (rotated["accepted"], rotated["withdrawn"]) == (2, 1)


def test_polling_says_what_is_missing(office: Path) -> None:
    call = ("poll", "p.toml", "--key-file", "city.key", "--once")
    config = 'url_file = "url"\nview = "v"\nwatermark = "at"\nmapping = "m.toml"\nstate = "s"\n'
    (office / "p.toml").write_text("views = 1")
    wrong = run(*call)
    assert (wrong.exit_code, "views does not exist. Did you mean 'view'?" in wrong.stderr) == (
        2,
        True,
    )
    (office / "p.toml").write_text(config)
    no_url = run(*call)
    assert (no_url.exit_code, "url cannot be read" in no_url.stderr) == (1, True)
    (office / "url").write_text("sqlite:///rows.db")
    with closing(sqlite3.connect("rows.db")) as database, database:
        database.execute("CREATE TABLE v (证号, 填报, 身份证, 日期, at)")
    no_stack = run(*call)
    assert no_stack.stderr.startswith("popflow: no stack runs on ")
    no_column = run(*call, "--check")
    assert "sex comes from the column '性别', which is not there" in no_column.stderr
