"""A backup's file from a stranger: nothing of it is written outside the folder."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from deploy.native.backup import MANIFEST, BackupError, restore


def archive(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    """A file that says it is a backup, with one member."""
    manifest = json.dumps({"form": 1, "popflow": "1", "made_at": "2026-01-01"}).encode()
    first = tarfile.TarInfo(MANIFEST)
    first.size, member.size = len(manifest), len(content)
    with tarfile.open(path, "w:gz") as written:
        written.addfile(first, io.BytesIO(manifest))
        written.addfile(member, io.BytesIO(content))
    return path


def test_a_file_comes_back_with_its_mode(tmp_path: Path) -> None:
    member = tarfile.TarInfo("store/credentials.json")
    member.mode = 0o600
    file = archive(tmp_path / "backup", member, b"secret")
    assert restore(file, tmp_path / "data") == "2026-01-01"
    restored = tmp_path / "data" / "store" / "credentials.json"
    assert restored.read_bytes() == b"secret"
    assert restored.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../outside", "kafka/../../outside", "/{folder}/outside"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name.format(folder=tmp_path))
    file = archive(tmp_path / "backup", member, b"mine")
    with pytest.raises(BackupError, match="cannot be read to its end"):
        restore(file, tmp_path / "data")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_only_files_are_taken(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, MANIFEST
    with pytest.raises(BackupError):
        restore(archive(tmp_path / "backup", member), tmp_path / "data")
    assert not os.path.lexists(tmp_path / "data" / "link")
