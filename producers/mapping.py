"""Mapping files: which columns of a table become which fields of an event, in TOML.

A mapping names the kind, and for each field of the contract a column, several columns, or a
constant, and how their cells are read. What it names wrongly stops at once with what exists.
"""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from producers.codes import spelling, tables
from producers.pseudonyms import Domain
from schemas.events import KINDS, VOIDS
from schemas.identity import mask_runs
from schemas.sources import NAME

_OF_EVERY = ("record_id", "revision", "void", "source", "recorded_at", "household", "person")


class MappingError(ValueError):
    """A mapping that cannot be used; names the place, what is wrong and what exists."""

    def __init__(self, message: str) -> None:
        super().__init__(mask_runs(message))


class Rule(BaseModel):
    """Where one field comes from and how its cells are read.

    Attributes:
        column: the column; of a list, its values separated by ``;``.
        columns: several columns: of a list each a value (diagnoses), else parts of a record
            number, joined by ``/``.
        constant: the same for all rows.
        default: for rows whose cells are empty.
        codes: name of a code table, or spellings with their meanings.
        also: further spellings beside those of the table that ``codes`` names.
        pseudonym: the cell is an identity number of this domain and travels as its pseudonym.
        domain_column: a column that says the domain row by row (证件类别), by the table
            ``document``; ``pseudonym`` is then that of rows where it is empty.
        unit: ``yuan`` of amounts (else fen); ``weeks`` of a time such as ``39+2``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    column: str | None = None
    columns: tuple[str, ...] | None = Field(default=None, strict=False, min_length=1)
    constant: bool | int | str | None = None
    default: bool | int | str | None = None
    codes: str | dict[str, bool | str] | None = None
    also: dict[str, bool | str] = Field(default_factory=dict)
    pseudonym: Domain | None = Field(default=None, strict=False)
    domain_column: str | None = None
    unit: Literal["yuan", "fen", "weeks"] | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> "Rule":
        origins = (self.column, self.columns, self.constant)
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("write one of column, columns and constant")
        if self.domain_column is not None and self.pseudonym is None:
            raise ValueError("domain_column goes with pseudonym, which is of rows without one")
        if self.also and not isinstance(self.codes, str):
            raise ValueError("also adds to a table that codes names")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The columns whose cells the field is made of."""
        return (self.column,) if self.column is not None else self.columns or ()

    def meanings(self) -> dict[str, bool | str]:
        """What each spelling means; empty when cells are taken as they are."""
        if isinstance(self.codes, str):
            named = dict(tables()[self.codes].codes)
            return named | {spelling(code): meaning for code, meaning in self.also.items()}
        return {spelling(code): meaning for code, meaning in (self.codes or {}).items()}


class MappingFile(BaseModel):
    """A whole mapping file.

    Attributes:
        kind: of all rows.
        source: the publisher; a field ``source`` may say it instead.
        encoding: of text files; ``auto`` looks for a mark, then tries UTF-8, then GB18030.
        delimiter: between cells of text files.
        sheet: of a workbook, its name; else the first.
        header: line of the header, from 1; lines before it are left out.
        only: rows are left out unless these columns hold one of these values.
        fields: the contract's fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str
    source: str | None = None
    encoding: str = "auto"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    sheet: str | None = None
    header: int = Field(default=1, ge=1, le=1000)
    only: dict[str, list[str]] = Field(default_factory=dict)
    fields: dict[str, Rule]

    @model_validator(mode="before")
    @classmethod
    def _columns_alone(cls, written: Any) -> Any:
        """``born_on = "出生日期"`` is short for ``born_on = { column = "出生日期" }``."""
        if isinstance(written, dict) and isinstance(fields := written.get("fields"), dict):
            rules = {n: {"column": r} if isinstance(r, str) else r for n, r in fields.items()}
            return {**written, "fields": rules}
        return written

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a table must have, each once."""
        named = [name for rule in self.fields.values() for name in rule.origins]
        named += [rule.domain_column for rule in self.fields.values() if rule.domain_column]
        return tuple(dict.fromkeys([*named, *self.only]))


def read_mapping(path: Path) -> MappingFile:
    """The mapping of a file.

    Raises:
        MappingError: no such file, no TOML, or something in it that does not exist.
    """
    try:
        written = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise MappingError(f"The mapping {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"The mapping {path} is no TOML in UTF-8: {error}") from None
    return mapping_of(written, str(path))


def mapping_of(written: Mapping[str, Any], name: str) -> MappingFile:
    """A mapping as TOML has it; ``name`` is what errors call it.

    Raises:
        MappingError: something in it does not exist or does not fit.
    """
    try:
        mapping = MappingFile.model_validate(dict(written))
    except ValidationError as error:
        raise MappingError(f"The mapping {name}: {_explained(first_fault(error))}") from None
    for wrong in _faults(mapping):
        raise MappingError(f"The mapping {name}: {wrong}")
    return mapping


def check_columns(mapping: MappingFile, header: Iterable[str], place: str) -> None:
    """Whether a table has what its mapping names.

    Raises:
        MappingError: names the field, the column and the columns that exist.
    """
    there = list(header)
    for name in mapping.columns:
        if name not in there:
            fields = [f for f, rule in mapping.fields.items() if name in rule.origins]
            of = f"{', '.join(fields)} comes from" if fields else "the mapping names"
            raise MappingError(
                f"{place}: {of} the column {name!r}, which is not there.{meant(name, there)} "
                f"The columns are {', '.join(filter(None, there)) or 'none'}"
            )
        if there.count(name) > 1:
            raise MappingError(f"{place}: the column {name!r} is there twice: rename one")


def meant(name: str, existing: Iterable[str]) -> str:
    """A guess at what a misspelt name was to be, as a sentence with a blank before."""
    near = get_close_matches(name, [one for one in existing if one], 1, 0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def first_fault(error: ValidationError) -> Mapping[str, Any]:
    """What to mend first: a name that does not exist, since another may be missing for it."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return min(faults, key=lambda fault: fault["type"] != "extra_forbidden")


def _explained(fault: Mapping[str, Any]) -> str:
    steps = [str(step) for step in fault["loc"]]
    place = ".".join(step for step in steps if step not in ("str", "dict[str,union[bool,str]]"))
    if fault["type"] == "extra_forbidden":
        model = Rule if len(steps) > 1 else MappingFile
        names = ", ".join(model.model_fields)
        return f"{place} does not exist.{meant(steps[-1], model.model_fields)} There are {names}"
    if fault["type"] == "missing":
        return f"{place} is missing"
    return f"{place or 'fields'}: {str(fault['msg']).removeprefix('Value error, ')}"


def _faults(mapping: MappingFile) -> Iterable[str]:
    if mapping.kind not in KINDS:
        yield f"kind {mapping.kind!r} does not exist. The kinds are {', '.join(KINDS)}"
        return
    model = KINDS[mapping.kind]
    known = [name for name in model.model_fields if name != "kind"]
    for name, rule in mapping.fields.items():
        if name not in known:
            yield (
                f"fields.{name} is no field of a {mapping.kind}.{meant(name, known)} The fields "
                f"are {', '.join(known)}"
            )
        yield from _faults_of_rule(mapping.kind, name, rule)
    if mapping.source is not None and not NAME.match(mapping.source):
        yield "source is no source: write health.<name> or police.<name>"
    if (mapping.source is None) == ("source" not in mapping.fields):
        yield "write the publisher once: source at the top, or fields.source"
    for name, field in model.model_fields.items():
        if field.is_required() and name not in mapping.fields and name != "source":
            yield f"fields.{name} is missing: every {mapping.kind} needs it"


def _faults_of_rule(kind: str, name: str, rule: Rule) -> Iterable[str]:
    if isinstance(rule.codes, str) and rule.codes not in tables():
        yield (
            f"fields.{name}.codes {rule.codes!r} is no code table.{meant(rule.codes, tables())} "
            f"The tables are {', '.join(tables())}"
        )
    if rule.columns is not None and not (name == "record_id" or is_list(kind, name)):
        yield f"fields.{name}.columns: only record_id and lists are made of several columns"
    if rule.pseudonym is not None and name not in ("person", "mother", "household"):
        yield f"fields.{name}.pseudonym: only person, mother and household are pseudonyms"
    if rule.unit in ("yuan", "fen") and not name.endswith("_fen"):
        yield f"fields.{name}.unit {rule.unit} is of amounts, such as total_fen"
    if rule.unit == "weeks" and name != "gestation_weeks":
        yield f"fields.{name}.unit weeks is of gestation_weeks"


def is_list(kind: str, name: str) -> bool:
    """Whether a field of a kind holds a list."""
    return bool(properties(kind).get(name, {}).get("type") == "array")


@cache
def properties(kind: str) -> Mapping[str, Any]:
    """JSON Schema of each field of a kind."""
    found: Mapping[str, Any] = KINDS[kind].model_json_schema()["properties"]
    return found


def of_every_event(name: str) -> bool:
    """Whether a withdrawal carries the field too."""
    return name in _OF_EVERY


REQUIRED = {
    kind: tuple(n for n, field in model.model_fields.items() if field.is_required())
    for kind, model in KINDS.items()
}
"""Names of the fields that every report of a kind needs."""
REQUIRED_OF_VOIDS = tuple(
    name for name, field in next(iter(VOIDS.values())).model_fields.items() if field.is_required()
)
