"""Who may speak to the store process: users, passwords and their role."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consumers.store.access import PUBLIC, READER
from consumers.store.server.errors import AUTHENTICATION_FAILED, StartError, StatementError


@dataclass(frozen=True)
class Account:
    """One user of the store process; ``readonly`` users pass the gate with every statement.

    ``public``: of what readers may read, only what is for everybody.
    """

    name: str
    password: str
    readonly: bool
    public: bool = False

    @property
    def views(self) -> frozenset[str]:
        """The names it may read, when it is a reader."""
        return frozenset(PUBLIC) if self.public else READER


def load(path: Path) -> dict[str, Account]:
    """Read the credentials file: JSON, user → ``{"password": …, "readonly": true|false}``.

    A reader may be ``"public": true``.

    Raises:
        StartError: The file is missing, readable by others, or not of that form.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise StartError(
                f"{path} holds passwords and others may read it; run: chmod 600 {path}"
            )
        users = json.loads(path.read_bytes())
        accounts = {
            name: Account(name, entry["password"], entry["readonly"], entry.get("public", False))
            for name, entry in users.items()
        }
    except OSError as error:
        raise StartError(f"credentials file {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StartError(
            f'credentials file {path} must be {{"user": {{"password": "…", "readonly": false}}}}'
        ) from None
    for account in accounts.values():
        if not isinstance(account.password, str) or not (
            isinstance(account.readonly, bool) and isinstance(account.public, bool)
        ):
            raise StartError(f"credentials file {path}: user {account.name!r} is not well formed")
        if len(account.password) < 8:
            raise StartError(f"credentials file {path}: {account.name!r} has a short password")
    return accounts


def authenticate(
    accounts: Mapping[str, Account], headers: Mapping[str, str], url: Mapping[str, str]
) -> Account:
    """Find the user of a request: Basic, ``X-ClickHouse-User``/``-Key``, or in the URL.

    Raises:
        StatementError: Code 516, the same words for a wrong name and a wrong password.
    """
    name, password = _given(headers, url)
    account = accounts.get(name)
    expected = account.password if account else ""
    right = hmac.compare_digest(expected.encode(), password.encode())
    if account is None or not right:
        raise StatementError(
            AUTHENTICATION_FAILED,
            "Authentication failed: password is incorrect, or there is no user with such name."
            " (AUTHENTICATION_FAILED)",
        )
    return account


def _given(headers: Mapping[str, str], url: Mapping[str, str]) -> tuple[str, str]:
    authorization = headers.get("authorization", "")
    if authorization[:6].lower() == "basic ":
        try:
            text = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        name, _, password = text.partition(":")
        return name, password
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    return url.get("user", ""), url.get("password", "")
