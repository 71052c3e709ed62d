"""From a person's reports to every count they make: the meaning of CONTRACT section 2.

:func:`project` is a pure function of the reports known by some day. The cells of a day of
knowledge are the difference between two of its results (:mod:`pipeline.core.ledger`).
"""

from collections.abc import Iterable, Mapping, Sequence

from pipeline.core.body import DAY, PLACE, RESIDENCY, Fact
from pipeline.core.calendars import month_before
from pipeline.core.facts import Conflict, facts
from pipeline.core.kinds import RULES
from pipeline.core.kinds.move import ORIGIN, TARGET
from pipeline.core.kinds.permit import ACTION, RENEWALS
from pipeline.core.presence import Registration, Span, presence
from pipeline.core.reports import Report
from pipeline.core.tally import Finding, Tally

REGISTER_WITHIN = 3
"""Days after arrival in which a registration is in time (江苏省流动人口服务管理)."""
ENDORSE_WITHIN = 30
"""Days after the lapse in which an endorsement is still in time (the Jiangsu rule)."""
_SEXED = ("1", "2")
_KIND_ORDER = {kind: place for place, kind in enumerate(RULES)}

NOTHING = Tally([])


def project(reports: Iterable[Report], priorities: Mapping[str, int]) -> Tally:
    """Everything that some reports of one person come to.

    Args:
        reports: those known by some day, each once.
        priorities: of the registered sources.
    """
    standing, conflicts = facts(reports, priorities)
    tally = Tally(standing)
    counted = _choose(tally)
    _settle_sex(tally)
    for fact in counted:
        RULES[fact.kind].count(tally, fact)
    _count_presence(tally, counted)
    for conflict in conflicts:
        _raise_conflict(tally, conflict)
    return tally


def _choose(tally: Tally) -> list[Fact]:
    """The facts that count: one birth, one death, nothing after it; findings on the others."""
    known = tally.facts
    births = _by_day(fact for fact in known if fact.kind == "birth")
    deaths = _by_day(fact for fact in known if fact.kind == "death")
    tally.death = deaths[0] if deaths else None
    counted = []
    for fact in known:
        if fact in births[1:]:
            tally.find("second_birth", fact)
        elif fact in deaths[1:]:
            tally.find("second_death", fact)
        elif tally.death is not None and _is_after(fact, tally.death):
            tally.find("after_death", fact)
        else:
            counted.append(fact)
            if fact.kind == "birth":
                tally.born_on = fact.body[DAY]
    return counted


def _by_day(known: Iterable[Fact]) -> list[Fact]:
    return sorted(known, key=lambda fact: (fact.body[DAY], fact.record_id))


def _is_after(fact: Fact, death: Fact) -> bool:
    return bool(fact.body[DAY] > death.body[DAY] + RULES[fact.kind].grace)


def _settle_sex(tally: Tally) -> None:
    """The person's first known sex, and the facts that contradict it."""
    sexed = [fact for fact in tally.facts if fact.sex in _SEXED]
    if not sexed:
        return
    first = sexed[0]
    if len(sexed) > 1:
        first = min(sexed, key=lambda f: (f.body[DAY], f.record_id, _KIND_ORDER[f.kind]))
    tally.sex = first.sex
    for fact in sexed:
        if fact.sex != tally.sex:
            tally.find("sex_conflict", fact)


def _count_presence(tally: Tally, counted: Sequence[Fact]) -> None:
    evidence = [fact for fact in counted if RULES[fact.kind].evidence(fact)]
    line = presence(evidence, tally.death.body[DAY] if tally.death else None)
    if line is None:
        return
    tally.presence = line
    sex, add = tally.sex, tally.add
    managed = line.managed()
    for measure, spans in (
        ("migrants_known", line.stays),
        ("migrants_managed", managed),
        ("migrants_resident", line.resident()),
    ):
        for start, end, district, *_ in spans:
            add(measure, district, start, "migrant", sex)
            add(measure, district, end, "migrant", sex, "", -1)
    for code, fact in line.findings:
        tally.find(code, fact)
    for fact in counted:
        if fact.kind == "move" and _registered_in_time(fact, managed):
            place, day = fact.body[TARGET], fact.body[DAY]
            add("arrivals_registered_in_time", place, day, "migrant", fact.sex)
    renewals = [f for f in counted if f.kind == "permit" and f.body[ACTION] in RENEWALS]
    for held in line.registrations:
        _count_endorsement(tally, held, renewals)


def _registered_in_time(move: Fact, managed: Iterable[Span]) -> bool:
    """Whether a migrant's arrival was followed by management there on one of the days 0–3."""
    day, target = move.body[DAY], move.body[TARGET]
    if move.body[RESIDENCY] != "migrant" or move.body[ORIGIN] == target:
        return False
    return any(
        span.district == target and span.start <= day + REGISTER_WITHIN and day < span.end
        for span in managed
    )


def _count_endorsement(tally: Tally, held: Registration, renewals: Sequence[Fact]) -> None:
    """Whether a permit's endorsement falls due, and whether it came in time."""
    permit, lapse = held.permit, held.valid_until + 1
    if permit.body[ACTION] not in RENEWALS or held.held_until < lapse:
        return
    place = permit.body[PLACE]
    opens = month_before(lapse)
    followed = [
        other.body[DAY]
        for other in renewals
        if other.body[PLACE] == place and other.body[DAY] > permit.body[DAY]
    ]
    if any(day < opens for day in followed):
        return
    tally.add("endorsements_due", place, lapse, "migrant", permit.sex)
    if any(day <= lapse + ENDORSE_WITHIN for day in followed):
        tally.add("endorsed_in_time", place, lapse, "migrant", permit.sex)


def _raise_conflict(tally: Tally, conflict: Conflict) -> None:
    kind, record_id, source = conflict
    for fact in tally.facts:
        if fact.kind == kind and fact.record_id == record_id:
            tally.find("conflicting_revision", fact, source=source)
            return
    tally.findings.append(Finding("conflicting_revision", kind, record_id, source, None, ""))
