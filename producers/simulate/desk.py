"""The offices of the simulated city: they number, write, send, correct, withdraw and repeat.

A desk holds what will arrive by the day on which it will; stories of people post to it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from random import Random

from producers.items import Dated
from schemas.clock import day_date
from schemas.events import KINDS

_DAY_S = 86_400
_OFFSET_S = 8 * 3600
_OPENS_S, _OPEN_S = 8 * 3600, 10 * 3600

CORRECTED = 0.015
"""Share of reports whose first revision was wrong."""
REPEATED = 0.005
MISTAKEN = 0.003
"""Share of reports beside which another was made by mistake, and is voided."""
CONFLICTING = 0.0002
_BARE_VOIDS = 0.5

_TOPICS = {kind: model.topic for kind, model in KINDS.items()}


@lru_cache(maxsize=4096)
def iso(day: int) -> str:
    """A day number as the contract writes a date."""
    return day_date(day).isoformat()


@dataclass(frozen=True)
class Report:
    """What one source says about one act.

    Attributes:
        kind: of the event.
        source: who says it.
        record: number of the act.
        person: whose act.
        body: the kind's own fields as JSON members.
        arrives: day number on which the first revision is sent.
        wrong: the body with a mistake, for first revisions that are corrected; empty: never.
    """

    kind: str
    source: str
    record: str
    person: str
    body: str
    arrives: int
    wrong: str = ""


class Desk:
    """Numbers, chances and the post of one simulated city."""

    def __init__(self, seed: int, tag: str) -> None:
        self.chance = Random(seed)  # noqa: S311 - a simulation, reproducible on purpose
        self._tag = tag
        self._serial = 0
        self._post: dict[int, list[Dated]] = {}

    def number(self, prefix: str) -> str:
        """A new number of an act; never the same in two simulated cities."""
        self._serial += 1
        return f"{prefix}-{self._tag}-{self._serial}"

    def somebody(self, who: str | None = None) -> str:
        """Pseudonym of somebody new, or always the same of somebody known by ``who``."""
        if who is None:
            self._serial += 1
            who = str(self._serial)
        return blake2b(f"{self._tag}/{who}".encode(), digest_size=16).hexdigest()

    def poisson(self, mean: float) -> int:
        """How many of what happens ``mean`` times on average."""
        if mean > 50:
            return max(round(self.chance.gauss(mean, math.sqrt(mean))), 0)
        count, left = 0, math.exp(-mean)
        product = self.chance.random()
        while product > left:
            count += 1
            product *= self.chance.random()
        return count

    def delay(self, most: int = 90) -> int:
        """Days until a report arrives: most within days, some after weeks."""
        draw = self.chance.random()
        if draw < 0.7:
            return int(draw / 0.7 * 3)
        if draw < 0.95:
            return 3 + int((draw - 0.7) / 0.25 * 12)
        return 15 + int((draw - 0.95) / 0.05 * (most - 15))

    def send(self, report: Report) -> None:
        """Post a report with what offices do to reports: corrections, repeats, mistakes."""
        draw = self.chance.random()
        if draw < CORRECTED and report.wrong:
            self._write(report, 1, report.wrong, report.arrives)
            self._write(report, 2, report.body, report.arrives + self.chance.randint(1, 60))
            return
        self._write(report, 1, report.body, report.arrives)
        draw -= CORRECTED
        if draw < 0 or draw >= REPEATED + MISTAKEN + CONFLICTING:
            return
        if draw < REPEATED:
            self._repeat(report)
        elif draw < REPEATED + MISTAKEN:
            self._mistake(report)
        elif report.wrong:
            self._write(report, 1, report.wrong, report.arrives + 1)

    def arrived(self, day: int) -> list[Dated]:
        """All that arrives on a day, in order; the desk forgets it."""
        return sorted(self._post.pop(day, ()))

    def _repeat(self, report: Report) -> None:
        first = self._post[report.arrives][-1]
        again = report.arrives + self.chance.randint(0, 20)
        stamp = max(self._stamp(again), first.timestamp_ms)
        self._post.setdefault(again, []).append(first._replace(timestamp_ms=stamp))

    def _mistake(self, report: Report) -> None:
        """A report of an act that never was, under a number of its own, and its withdrawal."""
        mistaken = Report(
            report.kind,
            report.source,
            self.number("ERR"),
            self.somebody(),
            report.body,
            report.arrives,
        )
        self._write(mistaken, 1, report.body, report.arrives)
        bare = self.chance.random() < _BARE_VOIDS
        body = '"void":true' if bare else f'"void":true,{report.body}'
        self._write(mistaken, 2, body, report.arrives + self.chance.randint(0, 30))

    def _stamp(self, day: int) -> int:
        seconds = _OPENS_S + int(self.chance.random() * _OPEN_S)
        return (day * _DAY_S - _OFFSET_S + seconds) * 1000

    def _write(self, report: Report, revision: int, body: str, day: int) -> None:
        seconds = _OPENS_S + int(self.chance.random() * _OPEN_S)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        value = (
            f'{{"kind":"{report.kind}","record_id":"{report.record}","revision":{revision},'
            f'"source":"{report.source}",'
            f'"recorded_at":"{iso(day)}T{hour:02}:{minute:02}:{second:02}+08:00",'
            f'"person":"{report.person}",{body}}}'
        )
        stamp = (day * _DAY_S - _OFFSET_S + seconds) * 1000
        message = Dated(stamp, _TOPICS[report.kind], report.person.encode(), value.encode())
        self._post.setdefault(day, []).append(message)
