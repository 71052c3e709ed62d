"""Who may use the HTTP gateway: one file of tokens, each of one publisher, kept as hashes.

A token is 256 random bits, so SHA-256 is hash enough (no dictionary holds it). The file is read
anew when it changes: a token that was revoked is refused from the next request on.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from schemas.sources import NAME

PREFIX = "popflow"
_SEPARATOR = "_"


class TokenError(ValueError):
    """Tokens that cannot be used as asked; says why and the way out."""


@dataclass(frozen=True)
class Token:
    """One token as it is kept: never the token itself.

    Attributes:
        id: names it, for people and for revoking.
        source: the publisher; events of another are refused.
        sha256: of the whole token.
        added_at: when, ISO 8601.
        revoked_at: when it ended; empty while it holds.
    """

    id: str
    source: str
    sha256: str
    added_at: str
    revoked_at: str = ""


class TokenFile:
    """The registry of tokens in one JSON file that its owner alone can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def holder(self, presented: str) -> str | None:
        """The publisher whose valid token this is; ``None`` for any other text."""
        self._refresh()
        prefix, _, rest = presented.partition(_SEPARATOR)
        number, _, _ = rest.partition(_SEPARATOR)
        known = self._tokens.get(number) if prefix == PREFIX else None
        kept = known.sha256 if known is not None else "0" * 64
        same = hmac.compare_digest(_hash(presented), kept)
        return known.source if known is not None and same and not known.revoked_at else None

    def all(self) -> list[Token]:
        """Every token, the oldest first."""
        self._refresh()
        return list(self._tokens.values())

    def add(self, source: str) -> str:
        """A new token of a publisher: shown once, kept as a hash.

        Raises:
            TokenError: no source name, or a file that cannot be used.
        """
        if not NAME.match(source):
            raise TokenError(
                f"{source!r} is no source: write <sector>.<name>, as health.my-hospital"
            )
        with self._writing() as tokens:
            number = secrets.token_hex(4)
            while number in tokens:
                number = secrets.token_hex(4)
            token = _SEPARATOR.join((PREFIX, number, secrets.token_urlsafe(32)))
            tokens[number] = Token(number, source, _hash(token), _now())
        return token

    def revoke(self, named: str) -> list[Token]:
        """End one token (by its id), or all of a source; gives those that were ended.

        Raises:
            TokenError: there is none that still holds.
        """
        with self._writing() as tokens:
            ended = [
                Token(**{**asdict(one), "revoked_at": _now()})
                for one in tokens.values()
                if named in (one.id, one.source) and not one.revoked_at
            ]
            tokens.update({one.id: one for one in ended})
        if not ended:
            raise TokenError(f"{named} has no token that holds: popflow gateway token list")
        return ended

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Token]]:
        """The tokens, to be changed; written whole or not at all, one process at a time."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._refresh()
                tokens = dict(self._tokens)
                yield tokens
                if tokens != self._tokens:
                    self._replace(tokens)
        except OSError as error:
            raise TokenError(f"{self.path} cannot be written: {error.strerror}") from None
        self._refresh()

    def _replace(self, tokens: dict[str, Token]) -> None:
        written = json.dumps({"tokens": [asdict(one) for one in tokens.values()]}, indent=1)
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(written + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.path)

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self._tokens = None, {}
            return
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen == self._seen:
            return
        try:
            kept = json.loads(self.path.read_text("utf-8"))["tokens"]
            self._tokens = {one["id"]: Token(**one) for one in kept}
        except OSError as error:
            raise TokenError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise TokenError(
                f"{self.path} is no file of tokens: move it away and add the tokens anew"
            ) from None
        self._seen = seen


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
