"""The city's keys: files that hold them, their ids, and a new key beside an old one.

A key file has one line a key, the first is in use, the others are earlier ones::

    2026 hmac-sm3 9f86d081884c7d65…
    2016 hmac-sha256 0011223344556677…

A file with nothing but hex digits is one key, of id ``1`` and HMAC-SHA-256. Keys come from a file
only, which may be named by the environment (``POPFLOW_KEY_FILE``), never from a command line.
"""

import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

KEY_BYTES = 32
"""Least length of the city's key."""
ENVIRONMENT = "POPFLOW_KEY_FILE"
"""Variable that may name the key file."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_ONLY_ID = "1"
_CHECK_VALUE = b"popflow key check value"


class KeyFileError(ValueError):
    """The file of the city's key cannot be used."""


class Algorithm(StrEnum):
    """Keyed hashes of the contract (section 3): FIPS 198 with SHA-256, or with SM3 (GB/T 32905)."""

    SHA256 = "hmac-sha256"
    SM3 = "hmac-sm3"


@dataclass(frozen=True, repr=False)
class Key:
    """One key with its id and its algorithm; never shows its secret."""

    secret: bytes
    id: str = _ONLY_ID
    algorithm: Algorithm = Algorithm.SHA256

    def __post_init__(self) -> None:
        if len(self.secret) < KEY_BYTES:
            raise KeyFileError(
                f"The key has {len(self.secret)} bytes and needs {KEY_BYTES} or more"
            )
        if not _ID.fullmatch(self.id):
            raise KeyFileError("A key's id is 1 to 32 of letters, digits, '.', '_', '-'")

    def __repr__(self) -> str:
        return f"Key({self.id}, {self.algorithm.value})"

    def keyed(self) -> "Keyed":
        """The keyed hash, ready for texts."""
        return Keyed(self)

    @property
    def check_value(self) -> str:
        """Eight hex digits that tell whether two parties hold the same key, and nothing else."""
        return self.keyed().hexdigest(_CHECK_VALUE)[:8]


class Keyed:
    """A keyed hash that digests one text after another; for any number of threads."""

    def __init__(self, key: Key) -> None:
        self._hash: Any = (
            HMAC(key.secret, hashes.SM3())
            if key.algorithm is Algorithm.SM3
            else hmac.new(key.secret, digestmod="sha256")
        )
        self._finished = "finalize" if key.algorithm is Algorithm.SM3 else "digest"

    def hexdigest(self, text: bytes) -> str:
        """The whole digest of one text in lower-case hex."""
        keyed = self._hash.copy()
        keyed.update(text)
        digest: bytes = getattr(keyed, self._finished)()
        return digest.hex()


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file: the one in use, then the earlier ones.

    Raises:
        KeyFileError: the file is missing, unreadable or holds something else; never says what.
    """
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"The key file {path} is no text in ASCII") from None
    keys = [
        _key(path, number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not keys:
        raise KeyFileError(f"The key file {path} is empty: `popflow key new` writes one")
    ids = [key.id for key in keys]
    if len(set(ids)) < len(ids):
        raise KeyFileError(f"The key file {path} has two keys of one id")
    return tuple(keys)


def key_file_of_the_environment() -> Path:
    """The file that ``POPFLOW_KEY_FILE`` names.

    Raises:
        KeyFileError: it names none.
    """
    named = os.environ.get(ENVIRONMENT)
    if not named:
        raise KeyFileError(f"No key file: set {ENVIRONMENT} to the file of the city's key")
    return Path(named)


def create_key_file(
    path: Path, *, key_id: str = _ONLY_ID, algorithm: Algorithm = Algorithm.SHA256
) -> Key:
    """Write a new random key that only its owner can read.

    Raises:
        KeyFileError: the file exists (another key would make strangers of all people), or its
            folder cannot be written.
    """
    key = Key(secrets.token_bytes(KEY_BYTES), key_id, algorithm)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"The key file {path} exists and is not replaced") from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}") from None
    with os.fdopen(file, "w", encoding="ascii") as opened:
        opened.write(_spelled([key]))
    return key


def rotate_key_file(
    path: Path, key_id: str, *, algorithm: Algorithm = Algorithm.SHA256
) -> tuple[Key, ...]:
    """Put a new random key in front of a file's keys; the old ones stay as earlier keys.

    Raises:
        KeyFileError: the file cannot be used, or has a key of that id.
    """
    earlier = read_keys(path)
    if key_id in {key.id for key in earlier}:
        raise KeyFileError(f"The key file {path} has a key {key_id} already: choose another id")
    keys = (Key(secrets.token_bytes(KEY_BYTES), key_id, algorithm), *earlier)
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(_spelled(keys))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}") from None
    return keys


def _spelled(keys: Sequence[Key]) -> str:
    return "".join(f"{key.id} {key.algorithm.value} {key.secret.hex()}\n" for key in keys)


def _key(path: Path, number: int, line: str) -> Key:
    words = line.split()
    if len(words) == 1:
        words = [_ONLY_ID, Algorithm.SHA256.value, *words]
    if len(words) != 3:
        raise KeyFileError(f"The key file {path}, line {number}: write ID ALGORITHM HEXDIGITS")
    if words[1] not in list(Algorithm):
        raise KeyFileError(
            f"The key file {path}, line {number}: the algorithm is none of "
            f"{', '.join(one.value for one in Algorithm)}"
        )
    try:
        secret = bytes.fromhex(words[2])
    except ValueError:
        secret = b""
    if not secret:
        raise KeyFileError(
            f"The key file {path} does not hold hex digits: `popflow key new` writes a key"
        )
    try:
        return Key(secret, words[0], Algorithm(words[1]))
    except KeyFileError as error:
        raise KeyFileError(f"The key file {path}, line {number}: {error}") from None
