"""Real Prometheus and Alertmanager on 127.0.0.1, for tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.native.ports import free_ports

NAMES = {"alertmanager": ("alertmanager", "prometheus-alertmanager")}
_START_SECONDS = 60.0


def tool(name: str) -> str:
    """Path of a program that the tests need; without it they fail and say what to do."""
    for candidate in NAMES.get(name, (name,)):
        found = shutil.which(candidate)
        if found is not None:
            return found
    raise AssertionError(f"{name} is not on PATH: run tests/tools.sh, or install it yourself")


def checked(name: str, *arguments: str | Path) -> str:
    """What a tool says; it has to be content."""
    done = subprocess.run(
        [tool(name), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(url: str) -> Any:
    """JSON that a server answers."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def _running(argv: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + _START_SECONDS
        while not _answers(ready):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[str]:
    """Alertmanager with a configuration; gives its URL."""
    folder.mkdir(exist_ok=True)
    file = folder / "alertmanager.yml"
    file.write_text(config, "utf-8")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [
        tool("alertmanager"),
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running(argv, folder / "alertmanager.log", f"{url}/-/ready"):
        yield url


@contextmanager
def prometheus(folder: Path, config: Path) -> Iterator[str]:
    """Prometheus with a configuration file; gives its URL."""
    folder.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [
        tool("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--alertmanager.notification-queue-capacity=100",
        "--rules.alert.resend-delay=1s",
    ]
    with _running(argv, folder / "prometheus.log", f"{url}/-/ready"):
        yield url
