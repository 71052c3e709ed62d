"""Every page of the project runs: its code against a real stack, its commands as they stand.

The blocks of a page run in their order, in one folder in which ``.popflow`` is a running stack's.
Blocks that install, or that end with Ctrl-C only, are read, not run; what they call exists.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from pipeline.cli import main as popflow
from tests.e2e.stack import RunningStack
from tests.meta.documents import (
    ROOT,
    SHELLS,
    Block,
    blocks,
    commands,
    documents,
    in_backticks,
    in_shell,
    name_of,
    tree,
)
from tests.meta.tables import READMES
from tests.meta.tables import commands as every_command
from tests.meta.test_new_kind import HEADING

LASTING = re.compile(r"^\s*(make|git|popflow (up|worker|deliver)|python -m tests)\b", re.MULTILINE)
USUAL_STORE = "127.0.0.1:8123"
CHINESE = READMES[1]
"""Shows the same code as the English page (``test_tables``)."""


def _runnable(path: Path) -> list[Block]:
    """Code to be run; how to add a kind is run by ``test_new_kind``."""
    text = path.read_text("utf-8")
    end = text.count("\n", 0, text.index(HEADING)) if HEADING in text else sys.maxsize
    return [
        block
        for block in blocks(path)
        if block.line < end
        and (
            block.language == "python"
            or (block.language in SHELLS and not LASTING.search(block.code))
        )
    ]


PAGES = [path for path in documents() if path != CHINESE and _runnable(path)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    # As on a user's machine: Python leaves its __pycache__ folders in the tree.
    usual = {"PYTHONDONTWRITEBYTECODE": ""}
    running = RunningStack(tmp_path_factory.mktemp("pages"), env=usual).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def desk(running: RunningStack, tmp_path: Path) -> Path:
    """A folder as a reader of the pages has it: the stack beside."""
    (tmp_path / ".popflow").symlink_to(running.folder)
    return tmp_path


def _run(block: Block, desk: Path, store: str) -> str:
    code = block.code.replace(USUAL_STORE, store)
    call = (
        [sys.executable, "-c", code]
        if block.language == "python"
        else ["bash", "-euo", "pipefail", "-c", code]
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("POPFLOW_")}
    activated = f"{Path(sys.executable).parent}:{env['PATH']}"
    env |= {"PATH": activated, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(
        call, cwd=desk, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    assert "Exception" not in done.stdout, (
        f"{block}\n{done.stdout}"
    )  # curl ends with 0 all the same
    return done.stdout


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_page_runs(path: Path, desk: Path, running: RunningStack) -> None:
    store = urlsplit(running.ready["clickhouse"]).netloc.rpartition("@")[2]
    printed = [_run(block, desk, store) for block in _runnable(path)]
    if path == READMES[0]:
        assert running.daily()["2026-03-01", "320508", "births", "hukou", "2", "unknown"] == 1
        _, curl, python = printed
        assert re.search(r"2026-03-01.*320508.*2.*1", curl)
        assert "320508 1" in python
    if name_of(path) == "producers/README.md":
        _, _, _, check, published, corrected, withdrawn, *_ = printed
        assert "母亲证件号码 (mother)" in check
        assert "to be mended" in check
        assert "3 right" in check.rpartition("to be mended")[2]
        counts = [re.findall(r"2016-03-05\t(\d+)\t(\d+)", page) for page in printed[4:7]]
        assert counts == [
            [("320583", "3")],
            [("320583", "2"), ("320585", "1")],
            [("320583", "1"), ("320585", "1")],
        ], (published, corrected, withdrawn)


def test_pages_that_run_are_found() -> None:
    assert {name_of(path) for path in PAGES} >= {"README.md", "producers/README.md"}
    assert [b.language for b in _runnable(READMES[0])] == ["bash", "bash", "python"]


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_commands_exist(path: Path) -> None:
    for words in commands(path):
        _check(words)


def test_commands_exist_that_the_program_tells_its_users() -> None:
    told = [
        words
        for path in tree()
        if path.suffix == ".py" and not path.is_relative_to(ROOT / "tests")
        for words in in_backticks(path.read_text("utf-8"))
    ]
    assert len(told) > 10
    for words in told:
        _check(words)


def _check(words: list[str]) -> None:
    if words[0] == "make":
        rules = (ROOT / "Makefile").read_text("utf-8")
        targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
        assert set(words[1:2]) <= targets, words
        return
    command: click.Command = popflow
    rest = words[1:]
    context = click.Context(popflow)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] == "COMMAND":
            return
        found = command.get_command(context, rest[0])
        assert found is not None, f"{words}: no command {rest[0]}"
        command, rest = found, rest[1:]
        context = click.Context(command, info_name=rest[0] if rest else None)
    _, left, _ = command.make_parser(context).parse_args(list(rest))
    assert not left, f"{words}: what is {left}?"


def test_every_command_is_documented_and_takes_the_data_folder() -> None:
    text = READMES[0].read_text("utf-8")
    for words, command in every_command():
        assert f"`{' '.join(words)}" in text
        options = {name for p in command.params for name in p.opts}
        assert "--data" in options or words == ("popflow", "schemas", "export"), words


def test_code_that_does_not_run_here_is_python_all_the_same() -> None:
    for path in documents():
        for block in blocks(path):
            if block.language == "python":
                compile(block.code, str(block), "exec")


def test_commands_are_found_among_others() -> None:
    shell = "echo 1 | tr 2 3 && popflow status --wait 3  # popflow no\nmake up; popflow audit"
    assert in_shell(shell) == [
        ["popflow", "status", "--wait", "3"],
        ["make", "up"],
        ["popflow", "audit"],
    ]


def test_tests_that_pin_a_choice_exist() -> None:
    text = (ROOT / "schemas/README.md").read_text("utf-8")
    pinned = re.findall(r"`(tests/[\w/]+\.py)::(\w+)(?:::(\w+))?`", text)
    assert len(pinned) > 10
    for file, first, second in pinned:
        source = (ROOT / file).read_text("utf-8")
        for name in filter(None, (first, second)):
            assert re.search(rf"(def|class) {name}\b", source), f"{file}::{name}"
