"""Identity numbers become keyed pseudonyms before anything leaves the publisher (CONTRACT 3).

The first 32 hex digits of HMAC-SHA-256 or HMAC-SM3 under the city's key, over the domain, a colon
and the normalised number. No error here prints a number, and no frame of its traceback holds one.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from producers.keys import KEY_BYTES as KEY_BYTES
from producers.keys import Key, key_file_of_the_environment, read_keys
from producers.keys import KeyFileError as KeyFileError
from producers.keys import create_key_file as create_key_file
from schemas.identity import check_digit, is_long, is_possible_date

_SHORT, _LONG = 15, 18
_CENTURY = "19"
_MOST_OTHER = 40
_HOLDS_LONG = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
"""Stricter than intake: letters may stand beside it, as in ``H7320502195006150016``."""

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class IdentityError(ValueError):
    """A number that cannot be what it is said to be; the message never holds the number."""


class Domain(StrEnum):
    """What kind of number it is; equal numbers of two domains give different pseudonyms."""

    CITIZEN = "id"
    """GB 11643 numbers and those of the same build: residence permits of Hong Kong, Macao and
    Taiwan residents (81, 82, 83), permanent residence cards of foreigners (9) since 2023."""
    BIRTH_CERTIFICATE = "birth-certificate"
    PASSPORT = "passport"
    RESIDENCE_CARD = "residence-card"
    """Permanent residence cards of foreigners before 2023: three letters and twelve digits."""
    TRAVEL_PERMIT = "travel-permit"
    """Travel permits of Hong Kong, Macao and Taiwan residents (回乡证, 台胞证)."""
    HOUSEHOLD = "household"


@dataclass(frozen=True, repr=False)
class Document:
    """A number with its domain; shows the domain only."""

    domain: Domain
    number: str

    def __repr__(self) -> str:
        return f"Document({self.domain.value})"


def quiet(function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Raise faults anew, from a frame that holds no number any more.

    Crash reporters that print the variables of a traceback then find none either.
    """

    @wraps(function)
    def quietly(*given: _Given.args, **named: _Given.kwargs) -> _Made:
        try:
            return function(*given, **named)
        except ValueError as error:
            fault = error.with_traceback(None)
            fault.__context__ = None
        del given, named
        raise fault

    return quietly


class Pseudonymizer:
    """Turns identity numbers into the contract's ``person``, ``mother`` and ``household``.

    Args:
        key: the city's key in use; comes from :meth:`from_file`, never from a command line.
        earlier: keys used before, while publishers change from one to the next.
    """

    def __init__(self, key: bytes | Key, *earlier: Key) -> None:
        self.key = Key(key) if isinstance(key, bytes) else key
        self.earlier = tuple(Pseudonymizer(one) for one in earlier)
        """Of the earlier keys, the newest first: who somebody was under them."""
        self._keyed = self.key.keyed()

    def __repr__(self) -> str:
        return f"Pseudonymizer({self.key!r})"

    @classmethod
    def from_file(cls, path: Path) -> "Pseudonymizer":
        """With the keys of a file (:mod:`producers.keys`).

        Raises:
            KeyFileError: the file is missing, unreadable or holds something else.
        """
        return cls(*read_keys(path))

    @classmethod
    def from_environment(cls) -> "Pseudonymizer":
        """With the keys of the file that ``POPFLOW_KEY_FILE`` names.

        Raises:
            KeyFileError: it names none, or one that cannot be used.
        """
        return cls.from_file(key_file_of_the_environment())

    @quiet
    def citizen(self, number: str) -> str:
        """Of a citizen number (GB 11643), 18 or 15 characters, or one of the same build.

        Raises:
            IdentityError: says what is wrong without the number.
        """
        return self.of(Document(Domain.CITIZEN, number))

    @quiet
    def birth_certificate(self, number: str) -> str:
        """Of the birth certificate of a child, the only number a newborn has."""
        return self.of(Document(Domain.BIRTH_CERTIFICATE, number))

    @quiet
    def passport(self, number: str) -> str:
        """Of a passport."""
        return self.of(Document(Domain.PASSPORT, number))

    @quiet
    def household(self, number: str) -> str:
        """Of a household register."""
        return self.of(Document(Domain.HOUSEHOLD, number))

    def of(self, document: Document) -> str:
        """Of any document.

        Raises:
            IdentityError: says what is wrong without the number.
        """
        return _pseudonym(document.number, document.domain, self)

    def hexdigest(self, text: bytes) -> str:
        """The whole keyed digest of a text, for what is no person."""
        return self._keyed.hexdigest(text)


@quiet
def _pseudonym(number: str, domain: Domain, under: Pseudonymizer) -> str:
    return under.hexdigest(f"{domain.value}:{_normalised(number, domain)}".encode())[:32]


def _normalised(number: str, domain: Domain) -> str:
    if domain is Domain.CITIZEN:
        return _citizen(number)
    return _other(number)


@quiet
def normalised_citizen_number(number: str) -> str:
    """The 18-character form: upper-case X, 15-digit numbers of the first generation converted.

    Raises:
        IdentityError: says what is wrong without the number.
    """
    return _citizen(number)


def _citizen(number: str) -> str:
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


def _other(number: str) -> str:
    text = _tidied(number)
    if not (text.isascii() and text.isalnum() and len(text) <= _MOST_OTHER):
        raise IdentityError(
            f"The document number is not 1 to {_MOST_OTHER} ASCII letters and digits"
        )
    if len(text) == _LONG and text[:17].isdigit() and is_long(text):
        raise IdentityError("The document number is a citizen number: use it as one")
    return text


def _tidied(number: object) -> str:
    """Full-width characters narrowed, blanks and hyphens dropped, letters upper-case."""
    if not isinstance(number, str):
        raise IdentityError("The number is no text: keep numbers of documents as text")
    narrow = unicodedata.normalize("NFKC", number)
    return "".join(c for c in narrow if not c.isspace() and c != "-").upper()


class RecordIdError(ValueError):
    """A record number that cannot be one; the message never holds its parts."""


@quiet
def canonical_id(*parts: str, pseudonyms: Pseudonymizer | None = None) -> str:
    """The number of an act as every reporter writes it: parts joined by ``/``.

    Full-width characters are narrowed, blanks dropped, letters upper-case; an identity number
    among the parts gives way to its pseudonym, as the contract wants.

    Raises:
        RecordIdError: a part is empty, or an identity number and there is no key.
    """
    tidy = [_tidy_part(part) for part in parts]
    found = [holds_person(part) for part in tidy]
    if not tidy or not all(tidy):
        raise RecordIdError("a part of the record number is empty")
    if any(found) and pseudonyms is None:
        raise RecordIdError(
            "the record number is an identity number, in whose place its pseudonym must stand: "
            "name the key file"
        )
    if pseudonyms is not None:
        tidy = [
            _in_place(part, pseudonyms) if person else part
            for part, person in zip(tidy, found, strict=True)
        ]
    return "/".join(tidy)


def _tidy_part(part: str) -> str:
    return "".join(unicodedata.normalize("NFKC", part).split()).upper()


def holds_person(part: str) -> bool:
    """Whether a text is or holds an identity number, letters beside it or not."""
    if len(part) == _SHORT and part.isdigit():
        try:
            _citizen(part)
        except IdentityError:
            return False
        return True
    return any(is_long(found) for found in _HOLDS_LONG.findall(part))


def _in_place(part: str, pseudonyms: Pseudonymizer) -> str:
    if len(part) == _SHORT:
        return pseudonyms.citizen(part)
    return _HOLDS_LONG.sub(
        lambda found: pseudonyms.citizen(found[0]) if is_long(found[0]) else found[0], part
    )
