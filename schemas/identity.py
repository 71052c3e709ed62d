"""Finding and masking plain identity numbers (GB 11643 citizen numbers and their kin).

A number counts as one when it has a real province, a possible date and the right check digit
(MOD 11-2). Residence permits of Hong Kong, Macao and Taiwan residents (81, 82, 83) and permanent
residence cards of foreigners (9 and a province) are built the same way.
"""

import json
import re
from collections import Counter
from datetime import date

from schemas.districts import PROVINCES

MASK = "*" * 18

_LONG = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_SHAPE = bytes(
    ord(
        "0"
        if chr(byte) in "0123456789"
        else "x"
        if chr(byte) in "Xx"
        else "a"
        if chr(byte).isascii() and chr(byte).isalpha()
        else " "
    )
    for byte in range(256)
)
"""Digits to 0, X to x, other ASCII letters to a, all else to a blank."""
_SHORTEST = 15
_RUN = b"0" * _SHORTEST
_LONG_SHAPE = b" " + b"0" * 18 + b" "
_LONG_X_SHAPE = b" " + b"0" * 17 + b"x "
_SHORT_SHAPE = b" " + _RUN + b" "
_LITERAL = re.compile(
    r'"(?P<string>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<number>-?[0-9][0-9.eE+-]*)',
    re.DOTALL,
)
"""Every string, keys too, and every number of a valid JSON text."""
_KEPT_ESCAPE = r"\\u0022|\\u005[cC]|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
"""Quotes, backslashes and halves of characters, which unfolding leaves as they are."""
_START = rf"(?:(?<![0-9A-Za-z])|(?<=\\[nrtbf])|(?<={_KEPT_ESCAPE}))"
_LONG_WRITTEN = re.compile(_START + r"[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_SHORT_WRITTEN = re.compile(_START + r"[0-9]{15}(?![0-9A-Za-z])")
_RUNS = re.compile(r"[0-9]{15,}[Xx]?")
_WEIGHTS = tuple(2**i % 11 for i in range(17, 0, -1))
_CHECK_DIGITS = "10X98765432"
_ISSUED_TO = PROVINCES | {"83"}
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def check_digit(first17: str) -> str:
    """Check digit of the first 17 digits (ISO 7064 MOD 11-2, as GB 11643 uses it)."""
    total = sum(int(d) * w for d, w in zip(first17, _WEIGHTS, strict=True))
    return _CHECK_DIGITS[total % 11]


def is_possible_date(digits: str) -> bool:
    """Whether ``YYYYMMDD`` is a day on which somebody with a number can have been born."""
    year = int(digits[:4])
    if not 1800 <= year < 2100:
        return False
    try:
        date(year, int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return True


def is_long(text: str) -> bool:
    """Whether 18 characters are an identity number."""
    issued = text[1:3] in PROVINCES if text[0] == "9" else text[:2] in _ISSUED_TO
    return issued and is_possible_date(text[6:14]) and check_digit(text[:17]) == text[17].upper()


def is_short(text: str) -> bool:
    """Whether 15 digits are an identity number of the first generation (born 19yy)."""
    return text[:2] in PROVINCES and is_possible_date("19" + text[6:12])


def _holds_long(text: str) -> bool:
    return any(is_long(found) for found in _LONG.findall(text))


def _is_whole_short(text: str) -> bool:
    return len(text) == 15 and text.isascii() and text.isdigit() and is_short(text)


def found_in(raw: bytes) -> bool:
    """Whether any key or value of a valid JSON text holds an identity number.

    Looks at the text as it was written: a key sent twice hides its first value from every
    decoder, a fraction or a great number its digits, deep nesting all of it.
    """
    for literal in _LITERAL.finditer(raw.decode("utf-8", "replace")):
        text = literal["string"] or literal["number"] or ""
        if "\\" in text:
            text = json.loads(f'"{text}"', strict=False)
        if len(text) < _SHORTEST:
            continue
        if _holds_long(text) or _is_whole_short(text):
            return True
    return False


def suspect(raw: bytes) -> bool:
    r"""Whether the text of a JSON object may hold one: quick, never wrong when it says no.

    Escapes can hide the digits (``\u0033``) or what stands beside them.
    """
    shape, escaped = raw.translate(_SHAPE), b"\\" in raw
    if _RUN not in shape:
        return escaped and b"\\u003" in raw
    if escaped:
        return True
    return _LONG_SHAPE in shape or _LONG_X_SHAPE in shape or _SHORT_SHAPE in shape


def in_key(key: bytes | None) -> bool:
    """Whether a message's key is or holds an identity number."""
    if not key or _RUN not in key.translate(_SHAPE):
        return False
    text = key.decode("utf-8", "replace")
    return _holds_long(text) or _is_whole_short(text.strip())


def mask(text: str) -> str:
    r"""The text with every identity number replaced, whatever the text is.

    Works on JSON as it was written, broken or not: a number may start right after an escape such
    as ``\n``, and ``\uXXXX`` escapes are unfolded where that reveals one.
    """
    unfolded = _ESCAPED.sub(_unfold, text)
    if unfolded != text and Counter(_written(unfolded)) - Counter(_written(text)):
        text = unfolded
    text = _LONG_WRITTEN.sub(lambda m: MASK if is_long(m[0]) else m[0], text)
    return _SHORT_WRITTEN.sub(lambda m: MASK[:15] if is_short(m[0]) else m[0], text)


def mask_runs(text: str) -> str:
    """The text of a message for people without any run of digits that may be a number of somebody.

    Stricter than :func:`mask`: names of columns and fields may have letters beside the digits.
    """
    return _RUNS.sub(MASK, mask(text))


def _written(text: str) -> list[str]:
    long = [found for found in _LONG_WRITTEN.findall(text) if is_long(found)]
    return long + [found for found in _SHORT_WRITTEN.findall(text) if is_short(found)]


def _unfold(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    if 0xD800 <= code < 0xE000 or chr(code) in '"\\':
        return escape[0]
    return chr(code) if code >= 0x20 else " "
