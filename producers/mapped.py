"""From the cells of one row to an event, as a mapping says. Pure but for the city's key."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import orjson

from producers import cells
from producers.codes import spelling, tables
from producers.items import Fault, Row
from producers.mapping import (
    REQUIRED,
    REQUIRED_OF_VOIDS,
    MappingError,
    MappingFile,
    Rule,
    is_list,
    of_every_event,
    properties,
)
from producers.problems import CellError, Problem
from producers.pseudonyms import (
    Document,
    Domain,
    IdentityError,
    Pseudonymizer,
    RecordIdError,
    canonical_id,
    holds_person,
)
from schemas.identity import mask_runs

CELL = "cell"
"""Code of a fault that the contract has no code for: a cell that cannot be read."""

_MOST_NAMED = 12
_MEND_NUMBER = "Compare it with the document. 请核对证件号码。"


class _Line(NamedTuple):
    """One field of a mapping, ready to be read."""

    name: str
    rule: Rule
    read: Callable[[Any], Any]
    meanings: Mapping[str, Any]


class _Wrong(NamedTuple):
    """One cell that cannot be read: where, and why."""

    place: str
    error: CellError | IdentityError | RecordIdError

    @property
    def reason(self) -> str:
        """What is wrong, as a sentence of each language where there are both."""
        if isinstance(self.error, CellError):
            return f"{self.place} {self.error.english}. {self.error.chinese}。"
        return f"{self.place}: {self.error}."

    @property
    def mend(self) -> str:
        """The way out."""
        return self.error.mend if isinstance(self.error, CellError) else _MEND_NUMBER


class RowMapper:
    """Makes events of rows.

    Args:
        mapping: what goes where.
        pseudonyms: with the city's key; needed when a field is a pseudonym.
        epoch: day 0 of serial dates, as the workbook says.
        rotate: yield for each earlier key of the key file the withdrawal of the report under it
            too, before the report: how a person changes from an old key to the new one.

    Raises:
        MappingError: the mapping has pseudonyms and there is no key.
    """

    def __init__(
        self,
        mapping: MappingFile,
        pseudonyms: Pseudonymizer | None,
        *,
        epoch: datetime = cells.SPREADSHEET_EPOCH,
        rotate: bool = False,
    ) -> None:
        hidden = [name for name, rule in mapping.fields.items() if rule.pseudonym is not None]
        if hidden and pseudonyms is None:
            raise MappingError(
                f"{', '.join(hidden)} must become pseudonyms: name the file of the city's key "
                "(--key-file, or the setting key_file; `popflow key new` makes one)"
            )
        self.mapping = mapping
        self._pseudonyms = pseudonyms
        self._rotate = rotate
        self._lines = [
            _Line(name, rule, _reader(mapping.kind, name, rule, epoch), _meanings(mapping, name))
            for name, rule in mapping.fields.items()
        ]
        self._only = {
            column: {spelling(value) for value in wanted} for column, wanted in mapping.only.items()
        }

    def rows(self, line: int, row: Mapping[str, Any]) -> Iterator[Row | Fault]:
        """The event of one row, or what is wrong with it; nothing for a row that is left out."""
        try:
            if not self._wanted(row):
                return
        except CellError as error:
            yield _fault(line, [_Wrong("A column of 'only'", error)])
            return
        under = [self._pseudonyms]
        if self._rotate and self._pseudonyms is not None:
            under = [*self._pseudonyms.earlier, self._pseudonyms]
        for pseudonyms in under:
            document, faults = self._document(row, pseudonyms)
            if faults:
                yield _fault(line, faults)
                return
            if pseudonyms is not self._pseudonyms:
                document = _withdrawn(document)
            yield Row(line, orjson.dumps(document))

    def _wanted(self, row: Mapping[str, Any]) -> bool:
        return all(
            spelling(cells.narrow(row.get(column))) in wanted
            if not cells.is_empty(row.get(column))
            else "" in wanted
            for column, wanted in self._only.items()
        )

    def _document(
        self, row: Mapping[str, Any], pseudonyms: Pseudonymizer | None
    ) -> tuple[dict[str, Any], list["_Wrong"]]:
        document: dict[str, Any] = {"kind": self.mapping.kind}
        faults: dict[str, _Wrong] = {}
        if self.mapping.source is not None:
            document["source"] = self.mapping.source
        for line in self._lines:
            try:
                value = _value(line, row, pseudonyms)
            except (CellError, IdentityError, RecordIdError) as error:
                faults[line.name] = _Wrong(_place(line.name, line.rule), error)
                continue
            if _shows_person(value):
                faults[line.name] = _Wrong(
                    _place(line.name, line.rule), CellError(Problem.IDENTITY)
                )
            elif value is not None:
                document[line.name] = value
        void = document.get("void") is True
        if void:
            document = {n: v for n, v in document.items() if n == "kind" or of_every_event(n)}
            faults = {name: fault for name, fault in faults.items() if of_every_event(name)}
        for name in REQUIRED_OF_VOIDS if void else REQUIRED[self.mapping.kind]:
            rule = self.mapping.fields.get(name)
            if name not in document and name not in faults and rule is not None:
                faults[name] = _Wrong(_place(name, rule), CellError(Problem.EMPTY))
        return document, list(faults.values())


def named(mapping: MappingFile | None, detail: str) -> str:
    """A reason in the contract's names, with the columns beside the first of them."""
    for name, rule in mapping.fields.items() if mapping else ():
        if rule.origins and detail.startswith((f"{name}:", f"{name} ", f"{name}.")):
            return f"{_place(name, rule)}{detail[len(name) :]}"
    return detail


def _value(line: _Line, row: Mapping[str, Any], pseudonyms: Pseudonymizer | None) -> Any:
    rule = line.rule
    if rule.constant is not None:
        return rule.constant
    found = [row.get(column) for column in rule.origins]
    there = [cell for cell in found if not cells.is_empty(cell)]
    if not there:
        return rule.default
    if line.name == "record_id":
        if len(there) < len(found):
            raise CellError(Problem.EMPTY_PART)
        return canonical_id(*(cells.document_number(c) for c in found), pseudonyms=pseudonyms)
    if rule.pseudonym is not None and pseudonyms is not None:
        document = Document(_domain(rule, row), cells.document_number(there[0]))
        return pseudonyms.of(document)
    if rule.columns is not None:
        return [value for cell in there for value in line.read(cell)]
    if line.meanings:
        return _meaning(line, there[0])
    return line.read(there[0])


def _shows_person(value: Any) -> bool:
    """Whether an identity number would leave the building in a field that is no pseudonym."""
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and holds_person(text) for text in texts)


def _meaning(line: _Line, cell: Any) -> Any:
    spelt = spelling(cells.narrow(cell))
    if spelt in line.meanings:
        return line.meanings[spelt]
    named = tables().get(line.rule.codes) if isinstance(line.rule.codes, str) else None
    if named is not None and named.other is not None and named.other.fullmatch(spelt):
        return spelt
    known = list(line.meanings)
    more = ", …" if len(known) > _MOST_NAMED else ""
    raise CellError(Problem.NO_CODE, ", ".join(known[:_MOST_NAMED]) + more)


def _domain(rule: Rule, row: Mapping[str, Any]) -> Domain:
    said = None if rule.domain_column is None else row.get(rule.domain_column)
    if said is None or cells.is_empty(said):
        return rule.pseudonym or Domain.CITIZEN
    meaning = tables()["document"].codes.get(spelling(cells.narrow(said)))
    if meaning is None:
        raise CellError(Problem.NO_DOMAIN, mask_runs(repr(rule.domain_column)))
    return Domain(str(meaning))


def _withdrawn(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same report, void: at equal revision a void wins."""
    kept = {n: v for n, v in document.items() if n == "kind" or of_every_event(n)}
    return {**kept, "void": True}


def _meanings(mapping: MappingFile, name: str) -> Mapping[str, Any]:
    rule = mapping.fields[name]
    if rule.codes is None and name == "live":
        return tables()["live"].codes
    if rule.codes is None and name in ("void", "maternal"):
        return tables()["truth"].codes
    return rule.meanings()


def _reader(kind: str, name: str, rule: Rule, epoch: datetime) -> Callable[[Any], Any]:
    """How the cells of a field are read, which the contract's type of it decides."""
    schema = properties(kind)[name]
    shapes = [schema, *schema.get("anyOf", ())]
    if any(shape.get("format") == "date" for shape in shapes):
        return partial(cells.day, epoch=epoch)
    if name == "recorded_at":
        return partial(cells.instant, epoch=epoch)
    if any(shape.get("type") == "integer" for shape in shapes):
        return {"yuan": cells.fen, "weeks": cells.weeks}.get(rule.unit or "", cells.whole)
    if is_list(kind, name):
        return lambda cell: [cells.icd(one) for one in cells.several(cell)]
    if name == "cause":
        return lambda cell: cells.icd(cells.narrow(cell))
    if name == "facility":
        return cells.text
    return cells.narrow


def _place(name: str, rule: Rule) -> str:
    columns = ", ".join(rule.origins)
    return mask_runs(f"{columns} ({name})" if columns else name)


def _fault(line: int, wrong: list[_Wrong]) -> Fault:
    reasons = " ".join(one.reason for one in wrong)
    return Fault(line, reasons, code=CELL, mend=" ".join(dict.fromkeys(one.mend for one in wrong)))
