"""The command line without a stack: its list, its help, its errors, what it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, main
from pipeline.cli.entry import explained

HEAVY = ("faust", "chdb", "aiokafka", "rocksdict", "uvicorn", "starlette", "jgo")


def every_command(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


ALL = dict(every_command())


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def has_both(text: str) -> bool:
    return any("a" <= c <= "z" for c in text) and any("一" <= c <= "鿿" for c in text)


def test_the_list_names_every_command_under_its_own_name() -> None:
    assert {path[0] for path in ALL} == set(COMMANDS)
    for name, listed in COMMANDS.items():
        assert ALL[(name,)].name == name
        assert has_both(f"{listed.english} {listed.chinese}")
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_help_is_english_and_chinese_and_says_every_option(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    assert has_both(ALL[path].help or "")
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_takes_the_data_folder(path: tuple[str, ...]) -> None:
    if not isinstance(ALL[path], click.Group):
        names = {option for parameter in ALL[path].params for option in parameter.opts}
        assert "--data" in names


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["settings"],
        ["source", "list"],
        ["source", "add", "police.x", "--priority", "1"],
        ["rejected", "list"],
        ["status"],
        ["publish", __file__],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    if arguments != ["--help"]:
        arguments = [*arguments, "--data", str(tmp_path)]
    code = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == "[]"


TOKENS = (("gateway", "token", "add"), ("gateway", "token", "list"))
"""Need a folder only."""

OWN_WORDS = {
    ("gateway", "token", "revoke"): "health.x has no token",
    ("backup",): "{data} holds no stack of its own",
    ("restore",): "{file}: ",
    ("prepare",): "name the servers in the settings bootstrap and clickhouse",
}


@pytest.mark.parametrize("arguments", [["frobnicate"], ["source"], ["status", "--wait", "soon"]])
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        p
        for p, command in ALL.items()
        if not isinstance(command, click.Group) and p[0] not in ("up", "key", "poll")
    ],
    ids=" ".join,
)
def test_no_command_shows_a_traceback_when_no_stack_runs(
    path: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "as_of,known_on,district,sex,birth_year,value\n2015-12-31,2016-01-01,320505,1,1990,5\n",
        "utf-8",
    )
    needed = {
        ("source", "add"): ["police.x", "--priority", "1"],
        ("source", "remove"): ["police.x"],
        ("source", "unsign"): ["police.x"],
        ("source", "key"): [str(tmp_path / "key")],
        ("forget",): ["a1" * 16],
        ("backup",): [str(tmp_path / "some.tar")],
        ("restore",): [str(tmp_path / "none.tar")],
        ("publish",): [str(file)],
        ("baseline", "load"): [str(file)],
        ("reference", "load"): [str(file)],
        ("alerts", "show"): ["x"],
        ("alerts", "ack"): ["x", "--why", "seen"],
        ("alerts", "silence"): ["x", "--why", "seen"],
        ("explain",): ["birth_rate", "city"],
        ("rejected", "show"): ["x"],
        ("rejected", "resend"): ["x"],
        ("rejected", "fix"): ["x"],
        ("schemas", "export"): [str(tmp_path / "out")],
        ("gateway", "token", "add"): ["health.x"],
        ("gateway", "token", "revoke"): ["health.x"],
    }
    done = CliRunner().invoke(
        main, [*path, *needed.get(path, []), "--data", str(tmp_path / "none")]
    )
    if path in (("settings",), ("schemas", "export"), ("source", "key"), *TOKENS):
        assert done.exit_code == 0
        return
    assert done.exit_code == (2 if path == ("prepare",) else 1)
    assert done.stderr.count("\n") == 1
    if path in OWN_WORDS:
        words = OWN_WORDS[path].format(data=tmp_path / "none", file=tmp_path / "none.tar")
        assert done.stderr.startswith(f"popflow: {words}")
        return
    assert done.stderr.startswith("popflow: no stack runs on ")
    assert "popflow up --data" in done.stderr


def test_a_defect_of_ours_shows_its_place_and_no_value() -> None:
    def fails() -> None:
        raise ValueError("a value of an event")

    with pytest.raises(ValueError, match="event") as raised:
        fails()
    told = explained(raised.value)
    assert "test_cli_entry.py" in told
    assert "ValueError" in told
    assert "a value of an event" not in told


def test_the_version_is_told() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert "popflow" in done.stdout or "version" in done.stdout
