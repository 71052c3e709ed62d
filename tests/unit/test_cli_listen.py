"""``popflow listen``: what is wrong with how it was started is one line, and the way out."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main

GOOD = {
    "--source": "health.h7",
    "--facility": "H7=320508",
    "--bootstrap": "127.0.0.1:1",
    "--port": "0",
}


def started(tmp_path: Path, kind: str = "hl7", **changed: str | None) -> tuple[int, str]:
    """Exit code and what was said; a value that is None is left out."""
    key = tmp_path / "city.key"
    key.write_text("6b" * 32)
    key.chmod(0o600)
    given = {**GOOD, "--key-file": str(key)}
    given.update({f"--{name.replace('_', '-')}": value for name, value in changed.items()})
    arguments = [
        word for name, value in given.items() if value is not None for word in (name, value)
    ]
    done = CliRunner().invoke(main, ["listen", kind, "--data", str(tmp_path), *arguments])
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"source": None}, "needs --source"),
        ({"source": "hospital"}, "is no source: write <sector>.<name>"),
        ({"facility": "H7"}, "write CODE=DISTRICT"),
        ({"facility": "H7=310115"}, "a district of the city"),
        ({"key_file": "missing"}, "cannot be read"),
        ({"tls_key": "key.pem"}, "TLS needs --tls-certificate"),
        ({"tls_certificate": "missing.pem"}, "the TLS files cannot be used"),
        ({"answer_seconds": "0"}, "answer-seconds"),
    ],
)
def test_wrong_use(tmp_path: Path, changed: dict[str, str | None], said: str) -> None:
    code, told = started(tmp_path, **changed)
    assert code == 2
    assert said in told
    assert "Traceback" not in told


def test_tls_files_of_two_pairs(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    code, told = started(tmp_path, tls_certificate=str(tmp_path / "cert.pem"))
    assert code == 2
    assert "name PEM files of one pair" in told


@pytest.mark.parametrize("kind", ["hl7", "http"])
def test_an_address_that_is_not_ours(tmp_path: Path, kind: str) -> None:
    code, told = started(tmp_path, kind, host="192.0.2.1")
    assert code == 1
    assert "cannot listen on 192.0.2.1" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("kind", ["hl7", "http"])
def test_a_port_that_is_taken(tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, told = started(tmp_path, kind, port=str(taken.getsockname()[1]))
    assert code == 1
    assert "is taken: name another with --port" in told


def test_gateway_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/tokens.json").write_text("[]")
    code, told = started(tmp_path, "http")
    assert code == 1
    assert "is no file of tokens" in told
