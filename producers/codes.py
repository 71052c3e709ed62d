"""Code tables: what national forms write, in the contract's words.

The tables are data (``codes.toml``); that of districts follows from the contract's list.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from schemas.districts import DISTRICTS

Meaning = str | bool

_DISTRICT_CODE = re.compile(r"[0-9]{6}")


class CodeTable(NamedTuple):
    """One table: its name for people, where it is from, and what each spelling means."""

    title: str
    source: str
    codes: Mapping[str, Meaning]
    other: re.Pattern[str] | None = None
    """What is taken as it is when the table does not have it."""


def spelling(text: str) -> str:
    """How two spellings are compared: full-width narrowed, no blanks, letters upper-case."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


@cache
def tables() -> Mapping[str, CodeTable]:
    """All tables by name, their codes as :func:`spelling` writes them."""
    written = tomllib.loads(resources.files("producers").joinpath("codes.toml").read_text("utf-8"))
    read = {
        name: CodeTable(
            table["title"],
            table["source"],
            {spelling(code): meaning for code, meaning in table["codes"].items()},
        )
        for name, table in written.items()
    }
    return read | {
        "district": CodeTable("区划 / district", "schemas/README", _districts(), _DISTRICT_CODE)
    }


def _districts() -> dict[str, Meaning]:
    """Codes as they are, and the names of the city's districts, with and without 市, 区, 苏州."""
    codes: dict[str, Meaning] = {}
    for district in DISTRICTS:
        whole = spelling(district.name_zh)
        names = {whole, whole.partition("(")[0], f"苏州市{whole}", whole.removeprefix("苏州")}
        if "(" in whole:
            names.add(whole.partition("(")[2].removesuffix(")"))
        names |= {name[:-1] for name in set(names) if name.endswith(("市", "区"))}
        for name in names:
            codes.setdefault(name, district.code)
        codes[district.code] = district.code
    return codes
