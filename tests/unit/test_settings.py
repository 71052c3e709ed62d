"""Settings: three places to say them, and a clear word on each that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.settings import (
    ENVIRONMENT_ONLY,
    FILE,
    PREFIX,
    Settings,
    SettingsError,
    load,
    source_of,
    unknown_variables,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text, "utf-8")
    return folder


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "workers = 2\npartitions = 8\nkafka_port = 0\n")
    monkeypatch.setenv("POPFLOW_PARTITIONS", "16")
    monkeypatch.setenv("POPFLOW_KAFKA_PORT", "1234")
    chosen = load(tmp_path, kafka_port=4321, workers=None)
    assert (chosen.workers, chosen.partitions, chosen.kafka_port) == (2, 16, 4321)
    assert [source_of(name, chosen) for name in ("workers", "partitions", "host")] == [
        FILE,
        "environment",
        "default",
    ]


def test_the_data_folder_is_the_given_one_then_the_environment_then_the_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load().data == tmp_path / ".popflow"
    monkeypatch.setenv("POPFLOW_DATA", "there")
    assert load().data == tmp_path / "there"
    assert load(Path("here")).data == tmp_path / "here"


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING"])
def test_log_levels_are_taken_in_any_case(tmp_path: Path, level: str) -> None:
    assert load(tmp_path, log_level=level).log_level == level.upper()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workres = 3", "setting workres in {file} does not exist: did you mean workers?"),
        ("zzz = 3", "setting zzz in {file} does not exist: The settings are bootstrap, "),
        ("data = 'x'", "only the environment can say it; set POPFLOW_DATA"),
        ("java = 'x'", "only the environment can say it; set POPFLOW_JAVA"),
        ("workers = 0", "setting workers in popflow.toml: Input should be greater than"),
        ("log_level = 'loud'", "setting log_level in popflow.toml: Input should be 'DEBUG', "),
        ("workers", "{file} is no TOML in UTF-8: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_the_way_out(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(written(tmp_path, text))
    assert told.format(file=tmp_path / FILE) in str(raised.value)


def test_a_file_that_is_not_utf8_or_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"host = '\xff'")
    with pytest.raises(SettingsError, match="no TOML in UTF-8"):
        load(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_wrong_variable_or_option_is_named_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"^--metrics-port: "):
        load(tmp_path, metrics_port=70_000)
    monkeypatch.setenv("POPFLOW_WORKERS", "many")
    with pytest.raises(SettingsError, match=r"^setting POPFLOW_WORKERS: .*valid integer"):
        load(tmp_path)
    with pytest.raises(SettingsError, match=r"^setting POPFLOW_WORKERS: "):
        load(written(tmp_path, "workers = 2"))


def test_a_misspelt_variable_is_noticed_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPFLOW_WORKRES", "3")
    monkeypatch.setenv("POPFLOW_JAVA", "/usr/bin/java")
    assert load(tmp_path).workers == 1
    assert unknown_variables() == ["POPFLOW_WORKRES"]


def test_every_variable_that_any_code_reads_is_listed() -> None:
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *ENVIRONMENT_ONLY)}
    read = {
        word
        for folder in ("pipeline", "producers", "consumers", "deploy", "schemas")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "environ" in line or "getenv" in line
        for word in line.replace('"', " ").replace("'", " ").split()
        if word.startswith(PREFIX) and word != PREFIX
    }
    assert {"POPFLOW_JAVA", "POPFLOW_CACHE", "POPFLOW_MAVEN_REPOSITORY"} <= read
    assert read <= known


def test_every_setting_says_what_it_means_in_english_and_chinese() -> None:
    meanings = {name: field.description or "" for name, field in Settings.model_fields.items()}
    for name, meaning in {**meanings, **ENVIRONMENT_ONLY}.items():
        assert any("a" <= character <= "z" for character in meaning), name
        assert any("一" <= character <= "鿿" for character in meaning), name


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    chosen = load(tmp_path, clickhouse_password_file=tmp_path / "none")
    with pytest.raises(SettingsError, match="clickhouse_password_file cannot be read"):
        chosen.clickhouse_password()
    (tmp_path / "none").write_text("secret\n", "utf-8")
    assert chosen.clickhouse_password() == "secret"
    assert load(tmp_path).clickhouse_password() == ""
