"""The laws of the ledger, against the independent recount."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.core.alone as alone_module
import pipeline.core.facts as facts_module
import pipeline.core.ledger as ledger_module
import pipeline.core.presence as presence_module
from consumers.audit.recount import Accepted, Finding, recount
from tests.laws.machine import Crash, Machine
from tests.laws.nasty import SOURCES, random_city
from tests.laws.strategies import accepted_sets, shuffled_with_repeats

PRIORITIES = dict(SOURCES)
JOINT = {"same_record_two_persons", "delivery_without_birth"}


def _own_findings(expected: Counter[Finding]) -> Counter[Finding]:
    """Those about one person; the store's view joins two."""
    return Counter({f: n for f, n in expected.items() if f[0] not in JOINT})


def _check(
    arrivals: list[Accepted],
    partitions: int,
    cuts: list[int],
    crashes: list[Crash],
) -> None:
    expected = recount(arrivals, PRIORITIES)
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), PRIORITIES, partitions)
        machine.publish(arrivals)
        machine.run(cuts, crashes)
    assert machine.cells() == expected.cells
    assert machine.findings() == _own_findings(expected.findings)
    told = {(a.event["person"], tuple(sorted(map(str, a.event.items())))) for a in arrivals}
    assert len(machine.tables["people_rows"]) == len({person for person, _ in told})


_ANY_RUN = {
    "arrivals": accepted_sets().flatmap(shuffled_with_repeats),
    "partitions": st.integers(1, 3),
    "cuts": st.lists(st.integers(1, 6), min_size=1, max_size=4),
    "crashes": st.lists(st.sampled_from(Crash), max_size=4),
}
_QUIET = {"suppress_health_check": list(HealthCheck)}


@settings(max_examples=1_000, **_QUIET)
@given(**_ANY_RUN)
def test_any_order_repetition_cut_split_and_crash_gives_the_recount(
    arrivals: list[Accepted], partitions: int, cuts: list[int], crashes: list[Crash]
) -> None:
    _check(arrivals, partitions, cuts, crashes)


@pytest.mark.long
@settings(max_examples=20_000, **_QUIET)
@given(**_ANY_RUN)
def test_the_law_on_twenty_thousand_examples(
    arrivals: list[Accepted], partitions: int, cuts: list[int], crashes: list[Crash]
) -> None:
    _check(arrivals, partitions, cuts, crashes)


@pytest.mark.parametrize("seed", range(60))
def test_long_lives_in_small_batches(seed: int, tmp_path: Path) -> None:
    arrivals = random_city(seed, 1 + seed % 4, 40)
    expected = recount(arrivals, PRIORITIES)
    machine = Machine(tmp_path, PRIORITIES, 1 + seed % 3)
    machine.publish(arrivals)
    machine.run([1 + seed % 7], [Crash.STATE_LOST, Crash.BEFORE_STATE] * (seed % 3))
    assert machine.cells() == expected.cells
    assert machine.findings() == _own_findings(expected.findings)


@given(arrivals=accepted_sets(), later=st.integers(1, 400))
@settings(max_examples=300, **_QUIET)
def test_a_repeat_on_a_later_day_changes_nothing_that_was_known(
    arrivals: list[Accepted], later: int
) -> None:
    once = recount(arrivals, PRIORITIES)
    repeated = replace(arrivals[0], known_on=arrivals[0].known_on + timedelta(days=later))
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), PRIORITIES)
        machine.publish([*arrivals, repeated])
        machine.run([3], [])
    assert machine.cells() == once.cells


def _last_arrival_wins(patch: pytest.MonkeyPatch) -> None:
    def arrival(report: tuple[object, ...]) -> tuple[object, ...]:
        return (report[6],)

    patch.setattr(facts_module, "RANK", arrival)


def _no_tie_break(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts_module, "RANK", lambda report: (report[3], report[4]))


def _void_ignored_before_its_record(patch: pytest.MonkeyPatch) -> None:
    real = ledger_module.post

    def forgetful(entry, arrival, priorities, before):  # type: ignore[no-untyped-def]
        known = {report[:3] for report in entry}
        if arrival[4] and arrival[:3] not in known:
            return ledger_module.Posting(entry, changed=False, cells={}, after=before)
        return real(entry, arrival, priorities, before)

    patch.setattr("pipeline.folding.post", forgetful)


def _permit_ends_a_day_early(patch: pytest.MonkeyPatch) -> None:
    real = presence_module._managed

    def shortened(registrations):  # type: ignore[no-untyped-def]
        return [(start, end - 1, district) for start, end, district in real(registrations)]

    patch.setattr(presence_module, "_managed", shortened)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _last_arrival_wins,
    _no_tie_break,
    _void_ignored_before_its_record,
    _permit_ends_a_day_early,
]


@pytest.fixture
def nothing_remembered() -> Iterator[None]:
    """What the right ledger remembers would hide a broken one, and the other way round."""
    alone_module._remembered.cache_clear()
    yield
    alone_module._remembered.cache_clear()


@pytest.mark.usefixtures("nothing_remembered")
@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__.strip("_"))
def test_the_law_catches_a_broken_ledger(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mutate(monkeypatch)
    for seed in range(200):
        arrivals = random_city(seed, 2, 20)
        machine = Machine(tmp_path / str(seed), PRIORITIES)
        machine.publish(arrivals)
        machine.run([4], [])
        if machine.cells() != recount(arrivals, PRIORITIES).cells:
            return
    pytest.fail("the broken ledger counted like the right one")
