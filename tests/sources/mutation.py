"""Seeded damage to valid inputs: bytes, fields and JSON nodes; the same seed, the same input."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.sources.adt import MOTHER, PATIENT

NUMBERS = (PATIENT, MOTHER, "320502500615001", f"ID{PATIENT}", f" {PATIENT[:6]} {PATIENT[6:]}")
TEXTS = (
    *NUMBERS,
    *(
        "",
        " ",
        '""',
        "\\",
        "\\F\\",
        "\\X41\\",
        "\\XZZ\\",
        "\\.sp999999999\\",
        "^",
        "~",
        "&",
        "|",
        "\r",
    ),
    *("\n", "\0", "\x0b", "\x1c", "é", "张", "\U0001f600", "１２３", "-1", "1e400", "NaN", "null"),
    *("20260230", "20260301", "99991231235959", "00010101", "20260305+2400", "2026-03-05"),
    *(
        "9" * 40,
        "x" * 5000,
        "320508",
        "000000",
        "320500",
        "Q21.1",
        "P95",
        "A03",
        "urn:uuid:p1",
        "#",
    ),
    *("Patient/p1", "#p1", "true", "0", "2147483648", "18446744073709551616", "0.1", "5"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**53, 2**70, 1e308, [], {}, [[]], {"a": []}),
    *([None], "", *TEXTS),
)


def damaged_bytes(raw: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled or put in."""
    changed = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        upto = min(at + chance.choice((1, 2, 8, 60)), len(changed))
        kind = chance.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] = chance.randrange(256)
        elif kind == 1:
            del changed[at:upto]
        elif kind == 2:
            changed[at:at] = changed[at:upto] * chance.choice((1, 2, 50))
        elif kind == 3:
            changed[at:at] = chance.choice(TEXTS).encode("utf-8", "surrogatepass")
        else:
            del changed[at + chance.choice((0, 300)) :]
    return bytes(changed)


def damaged_fields(text: str, chance: random.Random) -> str:
    """Fields of an HL7 message replaced, moved or dropped; segments doubled, dropped, mixed up."""
    lines = [line for line in text.split("\r") if line]
    for _ in range(chance.randint(1, 3)):
        row = chance.randrange(len(lines))
        fields = lines[row].split("|")
        place = chance.randrange(len(fields))
        kind = chance.randrange(7)
        if kind <= 2:
            fields[place] = chance.choice(TEXTS)
        elif kind == 3:
            parts = fields[place].split("^")
            parts[chance.randrange(len(parts))] = chance.choice(TEXTS)
            fields[place] = "^".join(parts)
        elif kind == 4:
            del fields[place]
        elif kind == 5:
            lines.insert(chance.randrange(len(lines) + 1), lines[row])
            row = lines.index("|".join(fields))
        else:
            chance.shuffle(lines)
            continue
        lines[row] = "|".join(fields)
    return "".join(f"{line}\r" for line in lines)


def _nodes(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(node, dict):
        found += [one for key, value in node.items() for one in _nodes(value, (*path, key))]
    elif isinstance(node, list):
        found += [one for n, value in enumerate(node) for one in _nodes(value, (*path, n))]
    return found


def damaged_json(document: Any, chance: random.Random) -> bytes:
    """Nodes of a JSON document replaced, dropped, renamed or doubled."""
    changed = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 3)):
        paths = _nodes(changed)
        if not paths:
            break
        path = chance.choice(paths)
        parent = changed
        for step in path[:-1]:
            parent = parent[step]
        kind = chance.randrange(4)
        if kind == 0:
            del parent[path[-1]]
        elif kind == 1 and isinstance(parent, dict):
            parent[chance.choice(TEXTS)] = parent.pop(path[-1])
        elif kind == 2 and isinstance(parent, list):
            parent.append(parent[path[-1]])
        else:
            parent[path[-1]] = chance.choice(VALUES)
    return json.dumps(changed, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
