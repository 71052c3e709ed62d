"""Reading SQL token by token: where a statement ends, what is text and what is comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*(?:\n|\Z)|\#[!\ ][^\n]*(?:\n|\Z)|/\*.*?\*/)
      | (?P<text>'(?:[^'\\]|\\.|'')*')
      | (?P<name>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
      | (?P<word>[^\W\d]\w*)
      | (?P<other>[\d.]+\w*|.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One token: its kind (``text``, ``name``, ``word`` or ``other``) and where it stands.

    ``depth`` counts the brackets it lies in; a bracket itself has the depth after it.
    """

    kind: str
    text: str
    start: int
    end: int
    depth: int


def tokens(sql: str) -> Iterator[Token]:
    """Cut SQL into tokens, comments and blanks left out."""
    depth = 0
    for found in _TOKEN.finditer(sql):
        kind = found.lastgroup or "other"
        if kind == "space":
            continue
        text = found.group()
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
        yield Token(kind, text, found.start(), found.end(), depth)


def statements(script: str) -> list[str]:
    """Cut a script at its semicolons; each statement keeps the comments before it."""
    cut = []
    start = 0
    filled = False
    for token in tokens(script):
        if token.text != ";" or token.depth:
            filled = True
            continue
        if filled:
            cut.append(script[start : token.start].strip())
        start, filled = token.end, False
    if filled:
        cut.append(script[start:].strip())
    return cut
