"""A sixth kind of event, as `schemas/README.md` says: every block as it stands, nothing else."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    *("pyproject.toml", "schemas", "pipeline/__init__.py", "pipeline/core", "tests/__init__.py"),
    *("tests/contract", "tests/unit/__init__.py", "tests/unit/core_events.py"),
    *("tests/conftest.py", "tests/laws/__init__.py", "tests/laws/coverage.py"),
)
COPIED_TESTS = ("test_core_*.py", "test_schemas_*.py")
HEADING = "## A sixth kind of event"
TOUCHED = {
    "schemas/events.py",
    "schemas/examples/vaccination.json",
    "pipeline/core/kinds/vaccination.py",
    "pipeline/core/kinds/__init__.py",
    "tests/unit/test_core_vaccination.py",
}
GENERATED = {
    "schemas/README.md",
    "schemas/generated/asyncapi.json",
    "schemas/generated/vaccination.schema.json",
}
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One code block; `path` is the file that it makes or, as a diff, changes."""

    language: str
    path: str
    code: str


def _blocks() -> list[Block]:
    text = (ROOT / "schemas/README.md").read_text("utf-8").partition(HEADING)[2]
    return [Block(*found) for found in _BLOCK.findall(text)]


def _apply(block: Block, root: Path) -> None:
    """Make a file, or replace what each hunk of a diff takes out, which stands there once."""
    path = root / block.path
    if block.language != "diff":
        assert not path.exists(), f"{block.path} is there already"
        path.write_text(block.code, "utf-8")
        return
    text = path.read_text("utf-8")
    for hunk in block.code.split("@@\n")[1:]:
        lines = hunk.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        assert text.count(before) == 1, f"{block.path} has no such place, or several:\n{before}"
        text = text.replace(before, after)
    path.write_text(text, "utf-8")


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".hypothesis" not in path.parts
    }


def _changed(before: dict[str, bytes], root: Path) -> set[str]:
    after = _contents(root)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _run(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sixth") / "popflow"
    names = list(COPIED)
    for pattern in COPIED_TESTS:
        names += [str(p.relative_to(ROOT)) for p in (ROOT / "tests/unit").glob(pattern)]
    for name in names:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return root


def test_newcomer_s_hour(copy: Path) -> None:
    """Blocks with a file make the kind; the one without shows an event of it going all the way."""
    before = _contents(copy)
    blocks = _blocks()
    for block in blocks:
        if block.path:
            _apply(block, copy)
    assert _changed(before, copy) == TOUCHED == {block.path for block in blocks if block.path}

    _run(copy, "-m", "schemas.export")
    assert _changed(before, copy) == TOUCHED | GENERATED

    shown = [block.code for block in blocks if not block.path]
    assert len(shown) == 1
    where = _run(copy, "-c", shown[0] + "\nimport schemas.events as e; print(e.__file__)")
    assert Path(where.strip()).is_relative_to(copy)

    _run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert _changed(before, copy) == TOUCHED | GENERATED


def test_first_example_of_the_readme_runs() -> None:
    text = (ROOT / "schemas/README.md").read_text("utf-8").partition(HEADING)[0]
    (code,) = (found[2] for found in _BLOCK.findall(text))
    printed = _run(ROOT, "-c", code).splitlines()
    assert printed[0] == "schema"
    assert "died_on: Field required" in printed[1]
