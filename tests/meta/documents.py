"""Markdown read as a program: blocks of code, commands in passing, links."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
SHELLS = ("sh", "bash", "console", "shell")
_BETWEEN = "();<>|&\n"
"""What stands between two commands of a shell."""


@dataclass(frozen=True)
class Block:
    """One block of code; ``path`` is the file that it stands for, if any."""

    document: str
    line: int
    language: str
    path: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def tree() -> Iterator[Path]:
    """Every file of the project that git would take, whether or not git is here."""
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    return _below(ROOT, [pattern.rstrip("/") for pattern in ignored] + [".git"])


def _below(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _below(path, ignored)
        else:
            yield path


def documents() -> list[Path]:
    """Every Markdown file."""
    return [path for path in tree() if path.suffix == ".md"]


def name_of(path: Path) -> str:
    """Where a file stands in the project."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    """The blocks of code of one document."""
    text = path.read_text("utf-8")
    return [
        Block(name_of(path), text.count("\n", 0, found.start()) + 1, *found.groups(""))
        for found in _BLOCK.finditer(text)
    ]


def commands(path: Path) -> list[list[str]]:
    """Every command of ours that one document shows: in shell blocks, and between backticks."""
    text = path.read_text("utf-8")
    found = [
        words
        for block in blocks(path)
        if block.language in SHELLS
        for words in in_shell(block.code)
    ]
    return found + in_backticks(_BLOCK.sub("", text))


def in_backticks(text: str) -> list[list[str]]:
    """The commands of ours that a text names in passing, between backticks."""
    named = (" ".join(words.split()) for words in _INLINE.findall(text))
    return [
        words
        for inline in named
        if inline.startswith(("popflow ", "make "))
        for words in in_shell(inline)
    ]


def in_shell(code: str) -> list[list[str]]:
    """The commands of ours in a piece of shell, as words."""
    without_comments = re.sub(r"(?m)(^|\s)#.*$", "", code)
    lexer = shlex.shlex(without_comments, posix=True, punctuation_chars=_BETWEEN)
    lexer.commenters = ""
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    found: list[list[str]] = []
    current: list[str] = []
    for token in [*lexer, "\n"]:
        if set(token) - set(_BETWEEN):
            current.append(token)
            continue
        if current and current[0] in ("popflow", "make"):
            found.append(current)
        current = []
    return found


def links(path: Path) -> list[str]:
    """Targets of the links of one document that lead to files."""
    text = _BLOCK.sub("", path.read_text("utf-8"))
    targets = (target.partition("#")[0] for target in _LINK.findall(text))
    return [t for t in targets if t and "://" not in t and not t.startswith("mailto:")]
