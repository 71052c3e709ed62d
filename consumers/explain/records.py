"""The records behind a term: persons are read from the store, the pure ledger says who adds what.

Only persons who can add something are read: those with a report of the right kind in the right
days. With a limit reading goes backwards in time and stops when enough was found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import chain, groupby
from typing import Any

from consumers.explain.terms import Cell, Term
from consumers.store.client import Store
from pipeline.core.lineage import STATES, behind, shares, standing
from pipeline.core.project import project
from pipeline.core.reports import report
from pipeline.core.tally import Tally
from schemas.clock import FIRST_DAY, LAST_DAY, LAST_VALID, day_date, day_number

SCANNED = 5_000
"""Persons who are all read, so that what is left out can be counted; of more the newest only."""
KINDS = {
    "births": ("birth",),
    "births_by_report": ("birth",),
    "births_weighed": ("birth",),
    "low_weight_births": ("birth",),
    "births_late": ("birth",),
    "stillbirths": ("birth",),
    "perinates": ("birth",),
    "perinates_with_defect": ("birth",),
    "deaths": ("death",),
    "deaths_by_report": ("death",),
    "deaths_late": ("death",),
    "neonatal_deaths": ("death",),
    "infant_deaths": ("death",),
    "under5_deaths": ("death",),
    "maternal_deaths": ("death",),
    "arrivals": ("move",),
    "departures": ("move",),
    "arrivals_registered_in_time": ("move",),
    "endorsements_due": ("permit",),
    "endorsed_in_time": ("permit",),
    "discharges": ("discharge",),
    "bed_days": ("discharge",),
    "hospital_deaths": ("discharge",),
    "in_policy_fen": ("discharge",),
    "fund_fen": ("discharge",),
    "population": ("birth", "death", "move"),
}
"""Which kinds of events a measure counts; of one that is not here any kind may be."""
_AT_ONCE = 500
_AFTER_LAPSE = frozenset({"endorsements_due", "endorsed_in_time"})
"""Measures dated the day after a permit's last, not the day of the act."""
_ONE_EACH = frozenset(KINDS) - {"bed_days", "in_policy_fen", "fund_fen", "population"}


@dataclass(frozen=True)
class Told:
    """One report of a record, with its way through Kafka.

    Attributes:
        stands: ``stands``, ``superseded`` or ``withdrawn``, among the reports known by then.
    """

    source: str
    revision: int
    void: bool
    stands: str
    known_on: date
    accepted_at: datetime
    topic: str
    partition: int
    offset: int
    journal_offset: int


@dataclass(frozen=True)
class Record:
    """One act, by its number, with everything that was reported of it."""

    kind: str
    record_id: str
    day: date
    reports: tuple[Told, ...] = ()


@dataclass(frozen=True)
class Contribution:
    """What one person adds through one act, or by being present.

    Attributes:
        person: pseudonym.
        amount: what is added to the term.
        cells: the cells it is in, with what it adds to each.
        records: the act; of a presence what was heard since it began, newest first.
    """

    person: str
    amount: Fraction
    cells: tuple[tuple[Cell, int], ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Contributions:
    """Those shown, and how many more there are (None: not counted)."""

    shown: tuple[Contribution, ...]
    more: int | None

    @property
    def amount(self) -> Fraction:
        """What the shown ones come to."""
        return sum((each.amount for each in self.shown), Fraction(0))


def contributions(
    store: Store, term: Term, known_on: date | None, total: Fraction, limit: int | None
) -> Contributions:
    """Who adds what to a term.

    Args:
        store: A connection with the right to read persons.
        term: The cells that are explained.
        known_on: Only what was known at the end of this day; None: all that is known.
        total: What all cells of the term come to.
        limit: How many to show; None: all.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    until = known_on or LAST_VALID
    priorities = dict(store.query("SELECT name, priority FROM population.sources_rows FINAL"))
    found: list[Contribution] = []
    steps = [_whole(term)]
    complete = limit is None or _number(store, steps[0], until) <= SCANNED
    for condition, first, last in steps if complete else _backwards(term):
        for person, tally in _persons(store, condition, until, priorities):
            found += _of_person(person, tally, term, first, last)
            if not complete and limit is not None and len(found) >= limit and _is_present(term):
                break
        if not complete and limit is not None and len(found) >= limit:
            break
    found.sort(key=_newest, reverse=True)
    shown = found if limit is None else found[:limit]
    more: int | None = len(found) - len(shown)
    if not complete:
        rest = total - sum((each.amount for each in shown), Fraction(0))
        counts_one = set(term.signs) <= _ONE_EACH and not term.felt
        more = int(rest) if counts_one else None
    return Contributions(_with_reports(store, shown, until), more)


def _newest(each: Contribution) -> tuple[date, str]:
    return max(record.day for record in each.records), each.records[0].record_id


Condition = tuple[str, dict[str, Any]]
Step = tuple[Condition, date, date]
"""Which persons to read, and of which days to take what they add."""


def _is_present(term: Term) -> bool:
    """Whether a term is of people who are present, not of what happened on a day."""
    return bool(set(term.signs) & set(STATES))


def _whole(term: Term) -> Step:
    """Everybody at once."""
    if _is_present(term):
        # Who is present somewhere was heard of there before.
        condition = (
            "kind IN ('move', 'permit', 'discharge') AND day <= {last:Date32}"
            " AND district IN {districts:Array(String)}"
        )
        values = {"last": term.last, "districts": sorted(term.districts)}
        return (condition, values), FIRST_DAY, day_date(LAST_DAY)
    first = FIRST_DAY if term.after is None else term.after + timedelta(days=1)
    return _between(term, first, term.last)


def _between(term: Term, first: date, last: date) -> Step:
    """Who did something on some days that the term may count."""
    values = {"first": first, "last": last}
    if set(term.signs) - set(KINDS):
        return ("true", {}), first, last
    kinds = sorted({kind for measure in term.signs for kind in KINDS[measure]})
    condition = "kind IN {kinds:Array(String)} AND "
    if set(term.signs) & _AFTER_LAPSE:
        condition += (
            "(toDate32OrNull(JSONExtractString(event, 'valid_until')) + 1"
            f" BETWEEN {{first:Date32}} AND {{last:Date32}} OR {_repeated('valid_until')})"
        )
    else:
        condition += "day BETWEEN {first:Date32} AND {last:Date32}"
    if "population" in term.signs:
        condition += (
            f" AND (JSONExtractString(event, 'residency') != 'migrant' OR {_repeated('residency')})"
        )
    return (condition, {"kinds": kinds, **values}), first, last


def _repeated(name: str) -> str:
    """Whether an event says a field twice: the last word counts, the engine reads the first."""
    return f"countSubstrings(event, '\"{name}\"') > 1"


def _backwards(term: Term) -> Iterator[Step]:
    """The same in growing steps, the newest days first."""
    if _is_present(term):
        yield _whole(term)
        return
    begin = FIRST_DAY if term.after is None else term.after + timedelta(days=1)
    last, days = term.last, 1
    while last >= begin:
        first = max(begin, last - timedelta(days=days - 1))
        yield _between(term, first, last)
        last, days = first - timedelta(days=1), days * 4


def _number(store: Store, step: Step, until: date) -> int:
    """How many persons a step reads."""
    (which, values), _, _ = step
    rows = store.query(
        "SELECT uniq(person) FROM population.reports"  # noqa: S608 - ours
        f" WHERE known_on <= {{until:Date32}} AND {which}",
        {"until": until, **values},
    )
    return int(rows[0][0])


def _persons(
    store: Store, condition: Condition, until: date, priorities: Mapping[str, int]
) -> Iterator[tuple[str, Tally]]:
    """Every person who meets a condition, with all that was known of them."""
    which, values = condition
    rows = chain.from_iterable(
        store.blocks(
            "SELECT person, event, known_on FROM population.reports FINAL"  # noqa: S608 - ours
            " WHERE known_on <= {until:Date32} AND person IN (SELECT person"
            f" FROM population.reports WHERE known_on <= {{until:Date32}} AND {which})"
            " ORDER BY person",
            {"until": until, **values},
        )
    )
    for person, told in groupby(rows, key=lambda row: row[0]):
        entry = [report(event.encode(), day_number(known)) for _, event, known in told]
        yield person, project(entry, priorities)


def _of_person(
    person: str, tally: Tally, term: Term, first: date, last: date
) -> Iterable[Contribution]:
    states = set(term.signs) & set(STATES)
    if states:
        return _of_presence(person, tally, term, states)
    by_fact: dict[tuple[str, str], list[tuple[Cell, int]]] = defaultdict(list)
    days: dict[tuple[str, str], date] = {}
    for fact, counted, value in shares(tally):
        cell = _dated(counted)
        if first <= cell[2] <= last and term.takes(cell):
            by_fact[fact.kind, fact.record_id].append((cell, value))
            days[fact.kind, fact.record_id] = day_date(fact.body[0])
    found = []
    for act, cells in by_fact.items():
        amount = sum((term.amount(cell, value) for cell, value in cells), Fraction(0))
        if amount:
            record = Record(*act, days[act])
            found.append(Contribution(person, amount, tuple(cells), (record,)))
    return found


def _of_presence(person: str, tally: Tally, term: Term, states: set[str]) -> Iterable[Contribution]:
    cells = [
        (cell, value)
        for counted, value in tally.cells.items()
        if value and counted[0] in states and term.takes(cell := _dated(counted))
    ]
    amount = sum((term.amount(cell, value) for cell, value in cells), Fraction(0))
    if not amount or term.days is None:
        return ()
    begin, end = day_number(term.days.before) + 1, day_number(term.last)
    # Who is managed is known: of the two the wider state tells the whole story.
    measure = "migrants_known" if len(states) > 1 else next(iter(states))
    facts = behind(tally, measure, begin, end)
    records = tuple(Record(f.kind, f.record_id, day_date(f.body[0])) for f in facts)
    return (Contribution(person, amount, tuple(sorted(cells)), records),)


def _dated(counted: tuple[str, str, int, str, str, str]) -> Cell:
    measure, district, day, residency, sex, band = counted
    return measure, district, day_date(day), residency, sex, band


def _with_reports(
    store: Store, shown: Sequence[Contribution], until: date
) -> tuple[Contribution, ...]:
    """The same, with every report of their records."""
    acts = sorted({(r.kind, r.record_id, each.person) for each in shown for r in each.records})
    told: dict[tuple[str, str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for some in (acts[at : at + _AT_ONCE] for at in range(0, len(acts), _AT_ONCE)):
        kinds, numbers, _ = zip(*some, strict=True)
        wanted = set(some)
        for row in store.query(
            "SELECT kind, record_id, person, event, known_on, source, revision, void, accepted_at,"
            " topic, partition, offset, journal_offset FROM population.reports FINAL"
            " WHERE known_on <= {until:Date32} AND kind IN {kinds:Array(String)}"
            " AND record_id IN {numbers:Array(String)}"
            " ORDER BY kind, record_id, person, source, revision, digest",
            {"until": until, "kinds": sorted(set(kinds)), "numbers": sorted(set(numbers))},
        ):
            if row[:3] in wanted:
                told[row[:3]].append(row[3:])
    reports = {act: _told(rows) for act, rows in told.items()}
    return tuple(
        Contribution(
            each.person,
            each.amount,
            each.cells,
            tuple(
                Record(r.kind, r.record_id, r.day, reports[r.kind, r.record_id, each.person])
                for r in each.records
            ),
        )
        for each in shown
    )


def _told(rows: Sequence[tuple[Any, ...]]) -> tuple[Told, ...]:
    how = standing([report(row[0].encode(), day_number(row[1])) for row in rows])
    return tuple(
        Told(
            source=source,
            revision=revision,
            void=void,
            stands=stands,
            known_on=known_on,
            accepted_at=accepted_at,
            topic=topic,
            partition=partition,
            offset=offset,
            journal_offset=journal_offset,
        )
        for stands, (_, known_on, source, revision, void, accepted_at, topic, partition, offset,
                     journal_offset) in zip(how, rows, strict=True)
    )  # fmt: skip
