"""Fetching Kafka's program files: what the lock says, once, whole, and from where one chooses.

A small lock and a Maven repository of its own on 127.0.0.1 stand for Kafka's 41 MB; jgo and HTTP
are the real ones.
"""

import gc
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jgo.env import LockFile, compute_spec_hash

from deploy.native import kafka_jars
from deploy.native.errors import NativeError
from deploy.native.kafka_jars import cache_folder, classpath, kafka_version, locked
from deploy.native.lock import SPEC
from deploy.native.ports import free_ports

NAMES = ("kafka_2.13", "kafka-clients", "kafka-raft")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


class Repository:
    """A Maven repository of three small files, and the lock that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = []
        for name in NAMES:
            file = self.file(name)
            file.parent.mkdir(parents=True)
            file.write_bytes(name.encode() * 1000)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            lines.append(
                f'[[dependencies]]\ngroupId = "org.apache.kafka"\nartifactId = "{name}"\n'
                f'version = "9.9"\npackaging = "jar"\nsha256 = "{digest}"\n'
            )
        self.lock = folder / "jgo.lock.toml"
        self.lock.write_text("\n".join(lines))

    def file(self, name: str) -> Path:
        return self.folder / "org" / "apache" / "kafka" / name / "9.9" / f"{name}-9.9.jar"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository(tmp_path / "repository")
    monkeypatch.setattr(kafka_jars.locked, "__defaults__", (repository.lock,))
    handler = partial(Silent, directory=str(repository.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv(
            "POPFLOW_MAVEN_REPOSITORY", f"http://127.0.0.1:{server.server_address[1]}/"
        )
        yield repository
        server.shutdown()
        thread.join()


def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPFLOW_MAVEN_REPOSITORY", f"http://127.0.0.1:{free_ports(1)[0]}")


def test_all_files_are_fetched_once_and_then_used_offline(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int, int]] = []
    jars = classpath(tmp_path / "cache", lambda *step: steps.append(step))
    assert [jar.name for jar in jars] == [f"{name}-9.9.jar" for name in NAMES]
    assert [jar.read_bytes() for jar in jars] == [
        repository.file(name).read_bytes() for name in NAMES
    ]
    assert steps == [("fetching Apache Kafka", done, 3) for done in (1, 2, 3)]
    assert sorted(p.name for p in jars[0].parent.iterdir()) == sorted(j.name for j in jars)

    unreachable(monkeypatch)
    assert classpath(tmp_path / "cache", lambda *step: steps.append(step)) == jars
    assert len(steps) == 3


def test_an_altered_file_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    jar = classpath(tmp_path)[1]
    jar.write_bytes(b"altered")
    steps: list[int] = []
    assert classpath(tmp_path, lambda _step, done, _total: steps.append(done))[1] == jar
    assert jar.read_bytes() == repository.file(NAMES[1]).read_bytes()
    assert steps == [3]


def test_another_file_under_a_locked_name_is_refused(
    repository: Repository, tmp_path: Path
) -> None:
    repository.file(NAMES[2]).write_bytes(b"something else")
    with pytest.raises(NativeError, match=r"kafka-raft-9\.9\.jar.*SHA-256 differs"):
        classpath(tmp_path)
    assert not (tmp_path / "kafka-9.9" / "kafka-raft-9.9.jar").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_repository_without_a_file_is_reported(repository: Repository, tmp_path: Path) -> None:
    repository.file(NAMES[0]).unlink()
    with pytest.raises(NativeError, match="does not have them all"):
        classpath(tmp_path)
    gc.collect()  # jgo leaves the answer 404 open: let its warning come here, where it is known


@pytest.mark.usefixtures("repository")
def test_without_a_network_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable(monkeypatch)
    with pytest.raises(NativeError, match=r"3 of 3 missing.*POPFLOW_MAVEN_REPOSITORY") as raised:
        classpath(tmp_path)
    assert "127.0.0.1" not in str(raised.value)
    monkeypatch.setenv("POPFLOW_MAVEN_REPOSITORY", "not a url")
    with pytest.raises(NativeError, match="3 of 3 missing"):
        classpath(tmp_path)
    assert list((tmp_path / "kafka-9.9").iterdir()) == []


@pytest.mark.usefixtures("repository")
def test_two_first_starts_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    found: list[list[Path]] = []
    threads = [threading.Thread(target=lambda: found.append(classpath(tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(jars == found[0] for jars in found)


@pytest.mark.usefixtures("repository")
def test_a_cache_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NativeError, match=r"file/kafka-9\.9 cannot be made.*POPFLOW_CACHE"):
        classpath(tmp_path / "file")
    with pytest.raises(NativeError, match="without a colon"):
        classpath(tmp_path / "a:b")


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPFLOW_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.delenv("POPFLOW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "popflow"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "popflow"


def test_the_lock_is_whole_and_follows_its_specification() -> None:
    artifacts = locked()
    assert LockFile.load(kafka_jars.LOCK).spec_hash == compute_spec_hash(SPEC), (
        "jgo.toml changed: run python -m deploy.native.lock"
    )
    assert kafka_version(artifacts) == "4.3.1"
    # log4j's bill of materials would manage kafka-clients down to 3.9.1.
    assert {a.version for a in artifacts if a.group == "org.apache.kafka"} == {"4.3.1"}
    assert all(len(a.sha256) == 64 for a in artifacts)
    assert len({a.file_name for a in artifacts}) == len(artifacts)
    assert "http" not in kafka_jars.LOCK.read_text()
