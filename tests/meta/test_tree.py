"""What no file of the project may hold, and what the project's own files agree on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.meta.documents import ROOT, documents, links, name_of, tree

FILES = list(tree())
MODULES = [path for path in FILES if path.suffix == ".py"]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-long.lock")
MOST_LINES = 450
MOST_LINES_OF_TESTS = 650
# Each with a class of one letter, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a path of one machine": rb"/wor[k]/|/roo[t]/|\.\./share[d]",
    "a registry's host": rb"pypi\.or[g]|pythonhosted\.or[g]|repo1?\.mave[n]|mave[n]\.org"
    rb"|docker\.i[o]|ghcr\.i[o]|quay\.i[o]|npmjs\.or[g]",
    "work left over": rb"\b(TOD[O]|FIXM[E])\b",
}
NOT_RUN = re.compile(
    r"\bpytest\.(skip|xfail|importorskip)\b|\bmark\.(skip|xfail)\b|\bunittest\.skip"
    r'|\bmark\.skipif\((?!sys\.platform != "linux", reason=")'
)
"""Only what another operating system cannot do may be left out there."""
_PIN = r"^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; ([^\\]+))? \\$"
_REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)( ; [^\\]+)? \\\n((?:    --hash=.*\n)+)")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    assert len(FILES) > 100
    pattern = re.compile(FORBIDDEN[what])
    found = [name_of(path) for path in FILES if pattern.search(path.read_bytes())]
    assert found == []


def test_modules_are_small() -> None:
    lines = {name_of(path): path.read_text("utf-8").count("\n") for path in MODULES}
    long = {name: n for name, n in lines.items() if n > MOST_LINES}
    assert {name: n for name, n in long.items() if not name.startswith("tests/")} == {}
    assert {name: n for name, n in long.items() if n > MOST_LINES_OF_TESTS} == {}


def test_every_test_runs() -> None:
    tests = [path for path in MODULES if path.is_relative_to(ROOT / "tests")]
    assert len(tests) > 30
    assert [name_of(p) for p in tests if NOT_RUN.search(p.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in links(path):
        assert (path.parent / target).exists(), target


def test_changes_of_this_version_are_written_down() -> None:
    version = _project()["version"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\S+)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    return project


class TestLocks:
    @pytest.mark.parametrize("name", LOCKS)
    def test_every_line_is_pinned_and_hashed(self, name: str) -> None:
        text = (ROOT / name).read_text("utf-8")
        stripped = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
        while stripped:
            found = _REQUIREMENT.match(stripped)
            assert found is not None, stripped[:80]
            stripped = stripped[found.end() :]
        assert "://" not in text

    def test_locks_hold_what_the_project_asks_for(self) -> None:
        pinned = _pinned("requirements.lock")
        dependencies = _project()["dependencies"]
        assert isinstance(dependencies, list)
        for line in dependencies:
            name, _, version = re.sub(r"\[.*\]", "", line).partition("==")
            name = re.split(r"[<>]", name)[0]
            assert name in pinned
            assert not version or {v for v, _ in pinned[name]} == {version}, (
                f"{name}: run make lock"
            )
        assert "setuptools" in pinned, "what builds the project is locked with it"

    def test_tests_run_on_what_is_installed(self) -> None:
        developers = _pinned("requirements-dev.lock")
        for name, versions in _pinned("requirements.lock").items():
            assert developers[name] == versions


def _pinned(name: str) -> dict[str, set[tuple[str, str]]]:
    """Version and marker of each package of a lock."""
    pinned: dict[str, set[tuple[str, str]]] = {}
    text = (ROOT / name).read_text("utf-8")
    for found in re.finditer(_PIN, text, re.MULTILINE):
        pinned.setdefault(found[1], set()).add((found[2], found[3] or ""))
    return pinned
