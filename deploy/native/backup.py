"""A stack's folder in one file and back: Kafka's log, the store, the state, the keys.

Taken while nothing runs on the folder, so the three stores agree; the supervisor's seat is held
meanwhile, so none can start. The file holds persons' pseudonymous records and the passwords of
the store: it is readable by its owner only.
"""

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from deploy.native.endpoints import STACK_FILE, SUPERVISOR
from deploy.native.errors import NativeError
from deploy.native.hold import Hold

MANIFEST = "popflow-backup.json"
_FORM = 1
_LEFT_OUT = ("logs",)
Tell = Callable[[int, int], None]
"""Progress: bytes done, bytes in all."""


class BackupError(NativeError):
    """The folder or the file is not what it must be; the message says the way out."""


def backup(data: Path, file: Path, tell: Tell = lambda *_: None) -> int:
    """Write the folder to a file; gives the bytes that were in it.

    Raises:
        BackupError: there is no stack in the folder, or the file exists.
        FolderHeldError: a stack runs on the folder; stop it first.
    """
    if not (data / "kafka").is_dir():
        raise BackupError(f"{data} holds no stack of its own: name its folder with --data")
    if file.exists():
        raise BackupError(f"{file} exists: choose another name, or remove it")
    seat = Hold(data / SUPERVISOR)
    seat.take()
    draft = file.with_name(file.name + ".new")
    try:
        found = sorted(_kept(data))
        total, done = sum(path.stat().st_size for path in found), 0
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "wb") as raw,
            tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as archive,
        ):
            _add_manifest(archive, data)
            for path in found:
                archive.add(path, str(path.relative_to(data)), recursive=False)
                done += path.stat().st_size
                tell(done, total)
        draft.replace(file)
        return total
    finally:
        draft.unlink(missing_ok=True)
        seat.free()


def restore(file: Path, data: Path, tell: Tell = lambda *_: None) -> str:
    """Put a backup into an empty folder; gives the day and time it was made.

    Raises:
        BackupError: the file is no backup, or one of a newer form, or the folder is not empty.
    """
    if data.exists() and any(data.iterdir()):
        raise BackupError(f"{data} is not empty: restore into a new folder")
    total = file.stat().st_size
    try:
        with file.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:gz") as archive:
            first = archive.next()
            source = archive.extractfile(first) if first and first.name == MANIFEST else None
            if source is None:
                raise BackupError(f"{file} is no backup of popflow")
            manifest = json.loads(source.read())
            if manifest["form"] > _FORM:
                raise BackupError(
                    f"{file} was made by popflow {manifest['popflow']}: restore it with that "
                    "version or a newer one"
                )
            data.mkdir(parents=True, exist_ok=True)
            for member in archive:
                _extract(archive, member, data)
                tell(raw.tell(), total)
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError) as error:
        raise BackupError(f"{file} cannot be read to its end: {type(error).__name__}") from None
    return str(manifest["made_at"])


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, data: Path) -> None:
    """Write one file into the folder; whatever leads elsewhere is no part of a backup.

    ``tarfile``'s own filters came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    target = (data / member.name).resolve()
    source = archive.extractfile(member) if member.isfile() else None
    if source is None or not target.is_relative_to(data.resolve()):
        raise tarfile.TarError(member.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600, exist_ok=False)
    with source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    target.chmod(member.mode & 0o755)


def _kept(data: Path) -> Iterator[Path]:
    """The files of a stack, without what only a running one needs."""
    for path in data.rglob("*"):
        inside = path.relative_to(data)
        passing = inside.parts[0] in _LEFT_OUT or path.suffix == ".pid" or path.name == STACK_FILE
        if path.is_file() and not path.is_symlink() and not passing:
            yield path


def _add_manifest(archive: tarfile.TarFile, data: Path) -> None:
    manifest = {
        "form": _FORM,
        "popflow": version("popflow"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    draft = data / MANIFEST
    draft.write_text(json.dumps(manifest), "utf-8")
    try:
        archive.add(draft, MANIFEST)
    finally:
        draft.unlink()
