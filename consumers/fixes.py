"""Corrections of refused messages that were made and not yet sent, in the data folder.

One file a message, with the changed fields only; only its owner can read it, and no plain identity
number gets in.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from schemas.identity import found_in, in_key

_ID = re.compile(r"[0-9a-f]{1,64}")


class FixError(ValueError):
    """A correction that cannot be kept or read; says why and what would do."""


class Fixes:
    """The corrections of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "fixes"

    def read(self, message_id: str) -> dict[str, Any]:
        """The changed fields of a message; empty when there are none.

        Raises:
            FixError: the file is damaged or unreadable.
        """
        path = self._path(message_id)
        try:
            changes = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise FixError(f"{path} cannot be read: {error.strerror}") from None
        except orjson.JSONDecodeError:
            raise FixError(f"{path} is damaged: remove it and fix the message again") from None
        if not isinstance(changes, dict):
            raise FixError(f"{path} is damaged: remove it and fix the message again")
        return changes

    def keep(self, message_id: str, changes: Mapping[str, Any]) -> None:
        """Keep changed fields, in the place of those kept before.

        Raises:
            FixError: they hold a plain identity number, or the disk takes nothing.
        """
        text = orjson.dumps(dict(changes))
        if found_in(text) or in_key(text):
            raise FixError(
                "The correction holds a plain identity number: write the pseudonym in its place"
            )
        path = self._path(message_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(text)
        except OSError as error:
            raise FixError(f"{path} cannot be written: {error.strerror}") from None

    def drop(self, message_id: str) -> None:
        """Forget what was changed of a message."""
        self._path(message_id).unlink(missing_ok=True)

    def _path(self, message_id: str) -> Path:
        if not _ID.fullmatch(message_id):
            raise FixError("That is no number of a refused message")
        return self._folder / f"{message_id}.json"
