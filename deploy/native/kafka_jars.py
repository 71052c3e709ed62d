"""Apache Kafka's program files: fetched once as the lock file says, then used offline.

``jgo.lock.toml`` (jgo's own format, written by ``python -m deploy.native.lock``) names every
artifact with its version and SHA-256. The files live in one folder of the user's cache, are
checked against the lock at every start (41 MB: 0.03 s) and fetched again when one differs.
"""

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.native.errors import NativeError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

Progress = Callable[[str, int, int], None]
"""Told what is going on: a phrase for people, steps done, steps in all."""

LOCK = Path(__file__).with_name("jgo.lock.toml")

_AT_ONCE = 6
_TRIES = 3


@dataclass(frozen=True)
class Artifact:
    """One locked file of Kafka's classpath."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the cache folder."""
        return f"{self.name}-{self.version}.jar"


def locked(lock: Path = LOCK) -> list[Artifact]:
    """The artifacts of a lock file, in classpath order."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Artifact(e["groupId"], e["artifactId"], e["version"], e["sha256"]) for e in entries]


def kafka_version(artifacts: Sequence[Artifact]) -> str:
    """The version of the broker among locked artifacts."""
    return next(a.version for a in artifacts if a.group == "org.apache.kafka")


def cache_folder() -> Path:
    """Where fetched program files are kept: ``POPFLOW_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("POPFLOW_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "popflow"


def classpath(cache: Path | None = None, progress: Progress | None = None) -> list[Path]:
    """Kafka's jars, verified; those missing or altered are fetched first.

    Args:
        cache: folder for fetched files; by default ``cache_folder()``.
        progress: told after each fetched file.

    Raises:
        NativeError: a file cannot be fetched, or differs from the lock after fetching.
    """
    artifacts = locked()
    folder = (cache or cache_folder()) / f"kafka-{kafka_version(artifacts)}"
    missing = [a for a in artifacts if not _intact(folder / a.file_name, a.sha256)]
    if missing:
        _fetch(missing, len(artifacts), folder, progress)
    return [folder / a.file_name for a in artifacts]


def _intact(file: Path, sha256: str) -> bool:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:  # missing or unreadable: to be fetched
        return False


def _fetch(
    missing: Sequence[Artifact], total: int, folder: Path, progress: Progress | None
) -> None:
    """Fetch several at a time (by one 5.9–7.7 s, by six 4.6–6.5 s) and count them as they arrive.

    Whole files only appear in the folder, by rename: two stacks started at once on an empty
    cache, or one killed in the middle, leave it sound.
    """
    _make_writable(folder)
    done = total - len(missing)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        context = maven_context(Path(scratch))
        fetching = [pool.submit(_fetch_verified, context, a, folder) for a in missing]
        try:
            for arrival in as_completed(fetching):
                arrival.result()
                done += 1
                if progress is not None:
                    progress("fetching Apache Kafka", done, total)
        except (OSError, RuntimeError) as error:  # the errors of requests are OSErrors
            raise NativeError(
                f"Apache Kafka's program files could not be fetched ({total - done} of {total} "
                f"missing in {folder}): {_reason(error)}. Connect to the internet once, set "
                "POPFLOW_MAVEN_REPOSITORY to a mirror you can reach, or copy that folder from a "
                "machine that has it."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _make_writable(folder: Path) -> None:
    """Make the cache folder, which Java can only read when no colon is in its name."""
    if ":" in str(folder):
        raise NativeError(f"Java cannot read from {folder}: choose POPFLOW_CACHE without a colon.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NativeError(
            f"The cache folder {folder} cannot be made ({error.strerror}): "
            "choose another with POPFLOW_CACHE."
        ) from error


def _fetch_verified(context: "MavenContext", artifact: Artifact, folder: Path) -> None:
    source = context.project(artifact.group, artifact.name).at_version(artifact.version).artifact()
    for attempt in range(1, _TRIES + 1):
        try:
            fetched = source.resolve()
        except OSError:
            if attempt == _TRIES:
                raise
            # jgo writes in place: a broken transfer would pass for the file next time.
            (context.repo_cache / source.component.path_prefix / artifact.file_name).unlink(
                missing_ok=True
            )
            continue
        if _intact(fetched, artifact.sha256):
            fetched.replace(folder / artifact.file_name)
            return
        fetched.unlink()
    raise NativeError(
        f"{artifact.file_name} from the Maven repository is not the file that popflow was tested "
        "with (its SHA-256 differs from the lock). Nothing was installed. Try again, or use "
        "another repository with POPFLOW_MAVEN_REPOSITORY."
    )


def maven_context(local: Path) -> "MavenContext":
    """Where artifacts come from and are put.

    ``POPFLOW_MAVEN_REPOSITORY`` (a mirror) alone when it is set; otherwise Maven Central and the
    repositories of the user's jgo settings, of which one named ``central`` replaces it.
    """
    # jgo is imported where something is fetched: a warm start should not pay 0.2 s for it.
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    mirror = os.environ.get("POPFLOW_MAVEN_REPOSITORY")
    remotes = (
        {"mirror": mirror.rstrip("/")}
        if mirror
        else {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    )
    return MavenContext(repo_cache=local, remote_repos=remotes, timeout=30)


def _reason(error: Exception) -> str:
    """One line: what went wrong, without the chain of wrapped errors that requests prints."""
    if isinstance(error, OSError):
        if error.errno is not None:  # the disk's answer; those of requests carry no number
            return f"{error.strerror}"
        return "the Maven repository cannot be reached or broke off"
    return "the Maven repository does not have them all"
