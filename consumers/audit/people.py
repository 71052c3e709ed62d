"""What one person's standing facts give: cells and findings.

Each block carries the sentence or the table row of the contract that it applies.
Nothing here knows about vintages: the caller hands over the reports known by a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from consumers.audit.facts import CITY, KINDS, Accepted, Conflict, Fact, facts_of_person
from consumers.audit.timeline import Timeline, walk
from consumers.audit.vocabulary import (
    age_group_at_death,
    age_group_of_mother,
    chapter,
    completed_years,
    is_delivery,
    month_before,
)

Figure: TypeAlias = tuple[str, str, date, str, str, str]
"""(measure, district, day, residency, sex, band)"""

Finding: TypeAlias = tuple[str, str, str, str, date | None]
"""(code, person, kind, record_id, day)"""

# Date32 ends here; a silence after a registration until 2299 may lie beyond.
LAST_DAY = date(2299, 12, 31)


@dataclass(frozen=True)
class Outcome:
    """What one person gives.

    Attributes:
        figures: Value of each figure that is not zero.
        findings: How often each finding stands.
        facts: All standing facts, for the findings that join two persons.
    """

    figures: Counter[Figure]
    findings: Counter[Finding]
    facts: list[Fact]


def outcome_of_person(accepted: Iterable[Accepted], priorities: Mapping[str, int]) -> Outcome:
    """Count one person from scratch.

    Args:
        accepted: The accepted events of one person.
        priorities: Source name to its priority number in the registry.
    """
    facts, conflicts = facts_of_person(accepted, priorities)
    person = _Person(facts)
    for fact in person.counted:
        person.count(fact)
    person.count_migrant_states()
    person.find(conflicts)
    figures = Counter({figure: value for figure, value in person.figures.items() if value != 0})
    return Outcome(figures, person.findings, facts)


class _Person:
    """The rules of the paragraph "Person", and the counting under them."""

    def __init__(self, facts: list[Fact]) -> None:
        self.facts = sorted(facts, key=lambda fact: (fact.day, fact.record_id, _rank(fact)))
        self.figures: Counter[Figure] = Counter()
        self.findings: Counter[Finding] = Counter()
        births = [fact for fact in self.facts if fact.kind == "birth"]
        deaths = [fact for fact in self.facts if fact.kind == "death"]
        # By rule "At most one birth and one death count per person (the earliest day, then
        # record_id; the rest raise `second_birth` / `second_death`)."
        self.second = births[1:] + deaths[1:]
        self.death = deaths[0] if deaths else None
        # By rule "Facts after the day of death do not count (`after_death`), discharges only when
        # more than 30 days after it"; "A fact raises `second_…` or `after_death`, not both."
        self.late = [
            fact for fact in self.facts if fact not in self.second and self._after_death(fact)
        ]
        self.counted = [
            fact for fact in self.facts if fact not in self.second and fact not in self.late
        ]
        self.birth = next((fact for fact in self.counted if fact.kind == "birth"), None)
        self.stock_sex = self._first_known_sex()
        self.timeline: Timeline = walk(self.counted, self.death.day if self.death else None)

    def _after_death(self, fact: Fact) -> bool:
        if self.death is None:
            return False
        grace = 30 if fact.kind == "discharge" else 0
        return fact.day > self.death.day + timedelta(days=grace)

    def _first_known_sex(self) -> str:
        # By rule "the person's first known sex holds: 1 or 2, of all standing facts by day,
        # record_id, then birth, move, permit, discharge, death; none: `9`"
        return next((fact.sex for fact in self.facts if fact.sex in ("1", "2")), "9")

    def _born_on(self, fact: Fact) -> date | None:
        # By rule "Missing `born_on` comes from the person's counted birth."
        born_on = fact.date_in("born_on")
        return self.birth.day if born_on is None and self.birth is not None else born_on

    def _add(self, fact: Fact, measure: str, band: str = "", value: int = 1) -> None:
        self._add_at(fact, measure, fact.place("district"), band, value)

    def _add_at(self, fact: Fact, measure: str, district: str, band: str, value: int = 1) -> None:
        # By rule "A usual residence outside the city is recorded and counted nowhere (moves apart)"
        if district in CITY:
            self.figures[(measure, district, fact.day, fact.residency, fact.sex, band)] += value

    def _add_population(self, fact: Fact, district: str, value: int) -> None:
        # By rule "(band: birth year or `unknown`)"
        born_on = self._born_on(fact)
        band = "unknown" if born_on is None else str(born_on.year)
        if district in CITY:
            self.figures[("population", district, fact.day, "hukou", self.stock_sex, band)] += value

    def count(self, fact: Fact) -> None:
        """Count the cells of one fact "at its day and district"."""
        if fact.kind == "birth":
            self._count_birth(fact)
        elif fact.kind == "death":
            self._count_death(fact)
        elif fact.kind == "move":
            self._count_move(fact)
        elif fact.kind == "permit":
            # By rule "`permits` (band: action; residency `migrant`)"
            self._add(fact, "permits", fact.content["action"])
            self._count_endorsement(fact)
        else:
            self._count_discharge(fact)

    def _count_birth(self, fact: Fact) -> None:
        weeks = fact.content.get("gestation_weeks")
        # By rule "`perinates` when gestation ≥ 28 weeks or unknown", live or not
        perinate = weeks is None or weeks >= 28
        if fact.content["live"]:
            # By rule "`births` (band: mother's age group ...)"
            mother_born_on = fact.date_in("mother_born_on")
            age = completed_years(mother_born_on, fact.day) if mother_born_on else None
            self._add(fact, "births", age_group_of_mother(age))
            # By rule "`births_by_report` (band `health`, `police`, `both`)"
            self._add(fact, "births_by_report", _sectors(fact))
            # By rule "`births_weighed` and, under 2,500 g, `low_weight_births`"
            weight = fact.content.get("weight_g")
            if weight is not None:
                self._add(fact, "births_weighed")
                if weight < 2500:
                    self._add(fact, "low_weight_births")
            # By rule "`births_late` when first known > 30 days after"
            if fact.first_known > fact.day + timedelta(days=30):
                self._add(fact, "births_late")
            # By rule "residency hukou: `population` +1 (band: birth year)"
            if fact.residency == "hukou":
                self._add_population(fact, fact.place("district"), +1)
        elif perinate:
            # By rule "birth, not live: `stillbirths` and `perinates`, only when gestation ≥ 28
            # weeks or unknown"
            self._add(fact, "stillbirths")
        if perinate:
            self._add(fact, "perinates")
            # By rule "perinate with defects: `perinates_with_defect` +1 (infants, not defects)"
            if fact.content["defects"]:
                self._add(fact, "perinates_with_defect")

    def _count_death(self, fact: Fact) -> None:
        born_on = self._born_on(fact)
        # Across sources a birth date after the day of death can meet it: the age is unknown then.
        if born_on is not None and born_on > fact.day:
            born_on = None
        age = None if born_on is None else completed_years(born_on, fact.day)
        # By rule "`deaths` (band: age group `0`, `1-4`, `5-9`…`80-84`, `85+`, `unknown`)"
        self._add(fact, "deaths", age_group_at_death(age))
        if born_on is not None and age is not None:
            # By rule "`neonatal_deaths` (day 0–27)"
            if (fact.day - born_on).days <= 27:
                self._add(fact, "neonatal_deaths")
            # By rule "`infant_deaths` (before the first birthday; born 29 Feb: before 1 Mar)"
            if age < 1:
                self._add(fact, "infant_deaths")
            if age < 5:
                self._add(fact, "under5_deaths")
        if fact.content["maternal"]:
            self._add(fact, "maternal_deaths")
        self._add(fact, "deaths_by_report", _sectors(fact))
        # By rule "`deaths_late` when first known > 45 days after"
        if fact.first_known > fact.day + timedelta(days=45):
            self._add(fact, "deaths_late")
        # By rule "residency hukou: `population` −1"
        if fact.residency == "hukou":
            self._add_population(fact, fact.place("district"), -1)

    def _count_move(self, fact: Fact) -> None:
        from_district, to_district = fact.place("from_district"), fact.place("to_district")
        # By rule "Same district: no cells (but evidence, below)"
        if from_district == to_district:
            return
        # By rule "`arrivals` at `to_district`, `departures` at `from_district`, each only inside
        # the city; band `outside` or `within` says where the other end is"
        self._add_at(fact, "arrivals", to_district, _other_end(from_district))
        self._add_at(fact, "departures", from_district, _other_end(to_district))
        # By rule "residency hukou: `population` ±1"
        if fact.residency == "hukou":
            self._add_population(fact, to_district, +1)
            self._add_population(fact, from_district, -1)
        # By rule "`arrivals_registered_in_time` on the day of each `migrant` arrival (from outside
        # or within) when the person is managed at that district at the end of any of the days 0–3"
        elif any(
            self.timeline.end_of(fact.day + timedelta(days=days)).managed == to_district
            for days in range(4)
        ):
            self._add_at(fact, "arrivals_registered_in_time", to_district, "")

    def _count_endorsement(self, fact: Fact) -> None:
        valid_until = fact.date_in("valid_until")
        if fact.content["action"] not in ("issue", "endorse") or valid_until is None:
            return
        # By rule "`endorsements_due` on `valid_until` + 1 of each `issue`/`endorse` still held on
        # its last day"
        if fact.record_id not in self.timeline.end_of(valid_until).held:
            return
        lapse = valid_until + timedelta(days=1)
        following = [
            other.day
            for other in self.counted
            if other.kind == "permit"
            and other.content["action"] in ("issue", "endorse")
            and other.day > fact.day
            and other.place("district") == fact.place("district")
        ]
        # By rule "and not followed, earlier than the month before, by an `issue` or `endorse` of a
        # later day at that district"
        window_opens = month_before(lapse)
        if any(day < window_opens for day in following):
            return
        district = fact.place("district")
        self.figures[("endorsements_due", district, lapse, "migrant", fact.sex, "")] += 1
        # By rule "`endorsed_in_time` there when an `endorse` or `issue` at that district follows
        # from one month before (clamped to the month's end) to 30 days after the lapse"
        if any(window_opens <= day <= lapse + timedelta(days=30) for day in following):
            self.figures[("endorsed_in_time", district, lapse, "migrant", fact.sex, "")] += 1

    def _count_discharge(self, fact: Fact) -> None:
        # By rule "`discharges` (band: ICD-10 chapter of the main diagnosis ...)"
        self._add(fact, "discharges", chapter(fact.content["diagnoses"][0]))
        # By rule "`bed_days` (at least 1)"
        admitted_on = date.fromisoformat(fact.content["admitted_on"])
        self._add(fact, "bed_days", value=max(1, (fact.day - admitted_on).days))
        if fact.content["outcome"] == "5":
            self._add(fact, "hospital_deaths")
        if is_delivery(fact.content["diagnoses"]):
            self._add(fact, "deliveries")
        # By rule "`in_policy_fen`, `fund_fen` (band: scheme)"
        for measure in ("in_policy_fen", "fund_fen"):
            self._add(fact, measure, fact.content["scheme"], fact.content[measure])

    def count_migrant_states(self) -> None:
        """Count the stock cells, "±1 on the day a state begins and ends"."""
        for state in ("known", "managed", "resident"):
            before: str | None = None
            for day, end in self.timeline.days:
                after: str | None = getattr(end, state)
                if after == before or day > LAST_DAY:
                    continue
                for district, value in ((before, -1), (after, +1)):
                    if district is not None:
                        key = (f"migrants_{state}", district, day, "migrant", self.stock_sex, "")
                        self.figures[key] += value
                before = after

    def find(self, conflicts: list[Conflict]) -> None:  # noqa: C901 - one branch a sentence
        """Raise the findings about this person alone, each with its cell."""
        for conflict in conflicts:
            if conflict.fact is None:
                # By rule "where no fact stands, without a cell"
                nowhere = (conflict.person, conflict.kind, conflict.record_id, None)
                self.findings[("conflicting_revision", *nowhere)] += 1
            else:
                self._raise("conflicting_revision", conflict.fact)
        for fact in self.second:
            self._raise(f"second_{fact.kind}", fact)
        for fact in self.late:
            self._raise("after_death", fact)
        for fact in self.facts:
            # By rule "a standing fact that contradicts it raises `sex_conflict`"
            if fact.sex in ("1", "2") and fact.sex != self.stock_sex:
                self._raise("sex_conflict", fact)
        for fact in self.counted:
            if fact.kind == "discharge" and self._dies_in_hospital_only(fact):
                # By rule "dated discharge + 30"; "Facts after the day of death do not count", so a
                # stay that is after_death already says nothing more
                self._raise("hospital_death_without_death", fact, days_later=30)
        if self.death is not None and self._dies_unborn(self.death):
            self._raise("death_without_birth", self.death)
        for code, fact in self.timeline.findings:
            self._raise(code, fact)

    def _dies_in_hospital_only(self, discharge: Fact) -> bool:
        # By rule "`hospital_death_without_death` (no death within 30 days either side ...)"
        deaths = [fact for fact in self.facts if fact.kind == "death"]
        near = any(abs(death.day - discharge.day).days <= 30 for death in deaths)
        return discharge.content["outcome"] == "5" and not near

    def _dies_unborn(self, death: Fact) -> bool:
        # By rule "`death_without_birth` (a counted death with `born_on` under one year before and
        # no standing birth fact of that person)"
        born_on = death.date_in("born_on")
        if born_on is None or born_on > death.day or completed_years(born_on, death.day) >= 1:
            return False
        return not any(fact.kind == "birth" for fact in self.facts)

    def _raise(self, code: str, fact: Fact, days_later: int = 0) -> None:
        # By rule "also cells of measure `findings`, band = code, with the fact's day, district,
        # residency and sex (a permit: `migrant`; none: `9`)"
        day = fact.day + timedelta(days=days_later)
        self.findings[(code, fact.person, fact.kind, fact.record_id, day)] += 1
        if fact.district in CITY:
            figure = ("findings", fact.district, day, fact.residency, fact.sex, code)
            self.figures[figure] += 1


def _other_end(district: str) -> str:
    return "within" if district in CITY else "outside"


def _sectors(fact: Fact) -> str:
    return next(iter(fact.sectors)) if len(fact.sectors) == 1 else "both"


def _rank(fact: Fact) -> int:
    return KINDS.index(fact.kind)
