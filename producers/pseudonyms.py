"""Identity numbers become keyed pseudonyms before anything leaves the publisher (CONTRACT 3).

The first 32 hex digits of HMAC-SHA-256 under the city's key, over the domain, a colon and the
normalised number. No error here prints a number.
"""

import hmac
import os
import secrets
import unicodedata
from enum import StrEnum
from pathlib import Path

from schemas.identity import check_digit, is_long, is_possible_date

KEY_BYTES = 32
"""Least length of the city's key."""

_SHORT, _LONG = 15, 18
_CENTURY = "19"
_MOST_OTHER = 40


class IdentityError(ValueError):
    """A number that cannot be what it is said to be; the message never holds the number."""


class KeyFileError(ValueError):
    """The file of the city's key cannot be used."""


class Domain(StrEnum):
    """What kind of number it is; equal numbers of two domains give different pseudonyms."""

    CITIZEN = "id"
    BIRTH_CERTIFICATE = "birth-certificate"
    PASSPORT = "passport"
    HOUSEHOLD = "household"


class Pseudonymizer:
    """Turns identity numbers into the contract's ``person``, ``mother`` and ``household``.

    Args:
        key: the city's key; comes from :meth:`from_file`, never from a command line.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise KeyFileError(f"The key has {len(key)} bytes and needs {KEY_BYTES} or more")
        self._keyed = hmac.new(key, digestmod="sha256")

    @classmethod
    def from_file(cls, path: Path) -> "Pseudonymizer":
        """With the key of a file: at least 64 hex digits, white space around them ignored.

        Raises:
            KeyFileError: the file is missing, unreadable or holds something else.
        """
        try:
            text = path.read_text("ascii").strip()
            key = bytes.fromhex(text)
        except OSError as error:
            raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise KeyFileError(
                f"The key file {path} does not hold hex digits: create_key_file() writes one"
            ) from None
        return cls(key)

    def citizen(self, number: str) -> str:
        """Of a citizen number (GB 11643), 18 or 15 characters, or one of the same build."""
        return self._pseudonym(Domain.CITIZEN, normalised_citizen_number(number))

    def birth_certificate(self, number: str) -> str:
        """Of the birth certificate of a child, the only number a newborn has."""
        return self._pseudonym(Domain.BIRTH_CERTIFICATE, _normalised_other(number))

    def passport(self, number: str) -> str:
        """Of a passport."""
        return self._pseudonym(Domain.PASSPORT, _normalised_other(number))

    def household(self, number: str) -> str:
        """Of a household register."""
        return self._pseudonym(Domain.HOUSEHOLD, _normalised_other(number))

    def _pseudonym(self, domain: Domain, normalised: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(f"{domain.value}:{normalised}".encode())
        return keyed.hexdigest()[:32]


def create_key_file(path: Path) -> None:
    """Write a new random key that only its owner can read.

    Raises:
        KeyFileError: the file exists (another key would make strangers of all people), or its
            folder cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"The key file {path} exists and is not replaced") from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}") from None
    with os.fdopen(file, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(KEY_BYTES) + "\n")


def normalised_citizen_number(number: str) -> str:
    """The 18-character form: upper-case X, 15-digit numbers of the first generation converted.

    Raises:
        IdentityError: says what is wrong without the number.
    """
    text = _tidied(number)
    if len(text) not in (_SHORT, _LONG):
        raise IdentityError(f"The identity number has {len(text)} characters, not 18 or 15")
    body = text[:17] if len(text) == _LONG else text
    if not (body.isascii() and body.isdigit() and (text[-1].isdigit() or text[-1] == "X")):
        raise IdentityError("The identity number has characters other than digits and a last X")
    if len(text) == _SHORT:
        body = text[:6] + _CENTURY + text[6:]
        text = body + check_digit(body)
    if check_digit(body) != text[17]:
        raise IdentityError("The check digit of the identity number is wrong: a digit is mistyped")
    if not is_possible_date(text[6:14]):
        raise IdentityError("The identity number holds no possible date of birth")
    if not is_long(text):
        raise IdentityError("The identity number begins with no province that exists")
    return text


def _normalised_other(number: str) -> str:
    text = _tidied(number)
    if not (text.isascii() and text.isalnum() and len(text) <= _MOST_OTHER):
        raise IdentityError(
            f"The document number is not 1 to {_MOST_OTHER} ASCII letters and digits"
        )
    if len(text) == _LONG and text[:17].isdigit() and is_long(text):
        raise IdentityError("The document number is a citizen number: use it as one")
    return text


def _tidied(number: str) -> str:
    """Full-width characters narrowed, blanks and hyphens dropped, letters upper-case."""
    narrow = unicodedata.normalize("NFKC", number)
    return "".join(c for c in narrow if not c.isspace() and c != "-").upper()
