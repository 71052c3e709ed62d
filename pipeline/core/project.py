"""From a person's reports to every count they make: the meaning of CONTRACT section 2.

:func:`project` is a pure function of the reports known by some day. The cells of a day of
knowledge are the difference between two of its results (:mod:`pipeline.core.ledger`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.core.body import DAY, PLACE, RESIDENCY, SEX, Fact
from pipeline.core.calendars import month_before
from pipeline.core.facts import Conflict, facts
from pipeline.core.kinds import RULES
from pipeline.core.kinds.move import ORIGIN, TARGET
from pipeline.core.kinds.permit import ACTION, RENEWALS
from pipeline.core.presence import NEVER, Registration, Span, presence
from pipeline.core.reports import Report
from pipeline.core.tally import Finding, Tally

REGISTER_WITHIN = 3
"""Days after arrival in which a registration is in time (江苏省流动人口服务管理)."""
ENDORSE_WITHIN = 30
"""Days after the lapse in which an endorsement is still in time (the Jiangsu rule)."""
_SEXED = ("1", "2")
_KIND_ORDER = {kind: place for place, kind in enumerate(RULES)}

NOTHING = Tally([])


def project(reports: Sequence[Report], priorities: Mapping[str, int]) -> Tally:
    """Everything that some reports of one person come to.

    Args:
        reports: those known by some day, each once.
        priorities: of the registered sources.
    """
    standing, conflicts = facts(reports, priorities)
    tally = project_facts(standing)
    for conflict in conflicts:
        _raise_conflict(tally, conflict)
    return tally


def project_facts(standing: list[Fact]) -> Tally:
    """Everything that the standing facts of one person come to."""
    tally = Tally(standing)
    counted = _choose(tally)
    _settle_sex(tally)
    evidence = []
    for fact in counted:
        rule = RULES[fact.kind]
        rule.count(tally, fact)
        if rule.evidence(fact):
            evidence.append(fact)
    _count_presence(tally, evidence)
    return tally


def _choose(tally: Tally) -> list[Fact]:
    """The facts that count: one birth, one death, nothing after it; findings on the others."""
    known = tally.facts
    birth, death = _once(known)
    tally.death = death
    if birth is None and death is None:
        return known
    counted = []
    for fact in known:
        if fact.kind == "birth" and fact is not birth:
            tally.find("second_birth", fact)
        elif fact.kind == "death" and fact is not death:
            tally.find("second_death", fact)
        elif death is not None and _is_after(fact, death):
            tally.find("after_death", fact)
        else:
            counted.append(fact)
            if fact is birth:
                tally.born_on = fact.body[DAY]
    return counted


def _once(known: Sequence[Fact]) -> tuple[Fact | None, Fact | None]:
    """The birth and the death that count: of what happens once in a life, the earliest."""
    birth: Fact | None = None
    death: Fact | None = None
    for fact in known:
        if fact.kind == "birth":
            if birth is None or _when(fact) < _when(birth):
                birth = fact
        elif fact.kind == "death" and (death is None or _when(fact) < _when(death)):
            death = fact
    return birth, death


def _when(fact: Fact) -> tuple[int, str]:
    return fact.body[DAY], fact.record_id


def _is_after(fact: Fact, death: Fact) -> bool:
    return bool(fact.body[DAY] > death.body[DAY] + RULES[fact.kind].grace)


def _settle_sex(tally: Tally) -> None:
    """The person's first known sex, and the facts that contradict it."""
    if len(tally.facts) == 1:
        tally.sex = tally.facts[0].sex if tally.facts[0].sex in _SEXED else "9"
        return
    said = {fact.body[SEX] for fact in tally.facts}
    said.intersection_update(_SEXED)
    if len(said) < 2:
        tally.sex = said.pop() if said else "9"
        return
    sexed = [fact for fact in tally.facts if fact.body[SEX] in said]
    tally.sex = min(sexed, key=lambda fact: (*_when(fact), _KIND_ORDER[fact.kind])).sex
    for fact in sexed:
        if fact.sex != tally.sex:
            tally.find("sex_conflict", fact)


def _count_presence(tally: Tally, evidence: Sequence[Fact]) -> None:
    line = presence(evidence, tally.death.body[DAY] if tally.death else None)
    if line is None:
        return
    tally.presence = line
    tally.stock("migrants_known", line.stays)
    tally.stock("migrants_managed", line.managed)
    tally.stock("migrants_resident", line.resident)
    for code, fact in line.findings:
        tally.find(code, fact)
    if line.managed:
        for fact in evidence:
            if fact.kind == "move" and registered_in_time(fact, line.managed):
                place, day = fact.body[TARGET], fact.body[DAY]
                tally.add("arrivals_registered_in_time", place, day, "migrant", fact.sex)
        for permit, place, lapse, in_time in endorsements(line.registrations, evidence):
            tally.add("endorsements_due", place, lapse, "migrant", permit.sex)
            if in_time:
                tally.add("endorsed_in_time", place, lapse, "migrant", permit.sex)


def registered_in_time(move: Fact, managed: Iterable[Span]) -> bool:
    """Whether a migrant's arrival was followed by management there on one of the days 0–3."""
    day, target = move.body[DAY], move.body[TARGET]
    if move.body[RESIDENCY] != "migrant" or move.body[ORIGIN] == target:
        return False
    return any(
        district == target and start <= day + REGISTER_WITHIN and day < end
        for start, end, district in managed
    )


def endorsements(
    registrations: Sequence[Registration], evidence: Sequence[Fact]
) -> Iterator[tuple[Fact, str, int, bool]]:
    """Which permits' endorsements fall due: permit, district, day of lapse, whether in time."""
    renewals = [f for f in evidence if f.kind == "permit" and f.body[ACTION] in RENEWALS]
    if not renewals:
        return
    for permit, start, valid_until, place, held_until in registrations:
        lapse = valid_until + 1
        if held_until < lapse or permit.body[ACTION] not in RENEWALS:
            continue
        followed = min(
            (
                other.body[DAY]
                for other in renewals
                if other.body[DAY] > start and other.body[PLACE] == place
            ),
            default=NEVER,
        )
        if followed < month_before(lapse):
            continue
        yield permit, place, lapse, followed <= lapse + ENDORSE_WITHIN


def _raise_conflict(tally: Tally, conflict: Conflict) -> None:
    kind, record_id, source = conflict
    for fact in tally.facts:
        if fact.kind == kind and fact.record_id == record_id:
            tally.find("conflicting_revision", fact, source=source)
            return
    tally.findings.append(Finding("conflicting_revision", kind, record_id, source, None, ""))
