"""Who may import whom, and what has to be installed for it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.documents import ROOT, name_of

OURS = ("schemas", "pipeline", "producers", "consumers", "deploy")
GENERATORS = ("deploy/grafana", "deploy/k8s")
"""Run by `make generate` only."""
CONTRACT_NEEDS = {"orjson", "pydantic", "pydantic_core"}
CORE_NEEDS = {"numpy", "orjson", "scipy"}
IMPURE = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "http", "io", "logging", "multiprocessing"),
    *("os", "pathlib", "queue", "random", "secrets", "select", "shutil", "signal", "socket"),
    *("sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
CLOCKS = re.compile(r"\b(now|today|utcnow|fromtimestamp)\(|\b(open|print|input)\(")
COMES_WITH = {
    "mode": "faust-streaming",
    "numpy": "scipy",
    "pydantic_core": "pydantic",
    "lz4": "kafka-python",
    "crc32c": "kafka-python",
    "urllib3": "clickhouse-connect",
}
"""Modules of packages that a declared one, or an extra named there, always brings along."""


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _imported(path: Path) -> Iterator[str]:
    """Every module named by an import of a file, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            yield node.module or ""


def _foreign(path: Path) -> set[str]:
    """What a file imports that is neither ours nor Python's."""
    tops = {module.partition(".")[0] for module in _imported(path)}
    return tops - sys.stdlib_module_names - {*OURS, "tests"}


def test_contracts_of_import_linter_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("folder", "ours", "foreign"),
    [("schemas", ("schemas",), CONTRACT_NEEDS), ("producers", ("schemas", "producers"), None)],
)
def test_a_package_imports_only(
    folder: str, ours: tuple[str, ...], foreign: set[str] | None
) -> None:
    for path in _modules(folder):
        tops = {module.partition(".")[0] for module in _imported(path)}
        assert tops & set(OURS) <= set(ours), name_of(path)
        assert foreign is None or _foreign(path) <= foreign, name_of(path)


@pytest.mark.parametrize("path", _modules("pipeline/core"), ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    imported = set(_imported(path))
    ours = {module for module in imported if module.partition(".")[0] in OURS}
    assert all(m == "schemas" or m.startswith(("schemas.", "pipeline.core")) for m in ours)
    assert _foreign(path) <= CORE_NEEDS
    assert not {module.partition(".")[0] for module in imported} & IMPURE
    code = ast.unparse(ast.parse(path.read_text("utf-8")))
    assert not CLOCKS.search(code), "a clock, or input and output"


def _declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {_normal(re.split(r"[\[<>=~!; ]", line)[0]) for line in lines}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    ("folders", "but", "extras"),
    [(OURS, GENERATORS, ()), (("tests", *GENERATORS), (), ("dev",))],
    ids=["packages", "tests"],
)
def test_what_is_imported_is_declared(
    folders: tuple[str, ...], but: tuple[str, ...], extras: tuple[str, ...]
) -> None:
    """By its own package: what another one happens to bring along may be gone tomorrow."""
    declared = _declared(*extras)
    owners = importlib.metadata.packages_distributions()
    for path in _modules(*folders):
        if name_of(path).startswith(but):
            continue
        for module in _foreign(path):
            names = {_normal(name) for name in owners[module]}
            assert (names | {COMES_WITH.get(module)}) & declared, f"{name_of(path)}: {module}"
