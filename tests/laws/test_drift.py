"""Promises of the drift monitors, on simulated and on real series."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from consumers.drift.paths import Paths
from consumers.drift.watch import COMPLETE
from pipeline.catalogue.monitors import MONITORS, OF_COUNTS, shift_of
from pipeline.core.delays import HORIZON, complete_after, known_shares
from pipeline.core.drift.cusum import Path as DriftPath
from pipeline.core.drift.series import Series
from pipeline.core.drift.silence import Pause, pauses
from tests.cases.london import christenings
from tests.studies.drift import TEN_YEARS, VOLUMES, run_lengths, simulate

RATIO_MONITORS = [key for key, m in MONITORS.items() if isinstance(m.rule, OF_COUNTS)]
US_BIRTHS = Path(__file__).parents[1] / "data" / "births_us_daily_1969_1988.csv"


def all_paths(series: Series) -> dict[str, DriftPath]:
    """What every monitor of the sex ratio sees in a series."""
    paths = Paths()
    return {key: paths.of(MONITORS[key], "320500", series) for key in RATIO_MONITORS}


def fired(series: Series) -> dict[str, list[date]]:
    return {key: [e.alarm for e in path.episodes] for key, path in all_paths(series).items()}


def london(factor: float = 1.0, since: int = 9999) -> Series:
    return Series.of((day, boys, boys + girls) for day, boys, girls in christenings(factor, since))


def united_states(ratio_before: float, ratio_after: float, change: date) -> Series:
    """Real numbers of births by day; the sex of each is drawn, since the source has none."""
    chance = np.random.default_rng(5)
    rows = []
    with US_BIRTHS.open(newline="") as file:
        for line in csv.DictReader(file):
            day, births = date.fromisoformat(line["date"]), int(line["births"])
            ratio = ratio_after if day >= change else ratio_before
            rows.append((day, int(chance.binomial(births, ratio / (100 + ratio))), births))
    return Series.of(rows)


class TestRealSeries:
    def test_no_monitor_fires_on_london(self) -> None:
        assert fired(london()) == {key: [] for key in RATIO_MONITORS}

    def test_every_monitor_fires_on_a_shift(self) -> None:
        for key, alarms in fired(london(1.1, 1975)).items():
            assert alarms, key
            assert date(1975, 1, 1) <= alarms[0] <= date(1980, 1, 1), key

    @pytest.mark.long
    @pytest.mark.parametrize("factor", [1.1, 0.9])
    @pytest.mark.parametrize("since", range(1935, 2006, 10))
    def test_every_monitor_fires_on_a_shift_in_any_decade(self, factor: float, since: int) -> None:
        for key, alarms in fired(london(factor, since)).items():
            assert [day for day in alarms if day.year >= since], key

    def test_yearly_figures_do_as_well(self) -> None:
        """A series may have one sample a year; its days without births are no evidence."""

        def yearly(factor: float, since: int) -> Series:
            years: dict[int, list[int]] = {}
            for day, boys, girls in christenings(factor, since):
                sums = years.setdefault(day.year, [0, 0])
                sums[0] += boys
                sums[1] += boys + girls
            return Series.of((date(year, 12, 31), *sums) for year, sums in years.items())

        assert fired(yearly(1.0, 9999)) == {key: [] for key in RATIO_MONITORS}
        for key, alarms in fired(yearly(1.1, 1975)).items():
            assert [day for day in alarms if day.year >= 1975], key

    def test_ten_thousand_births_a_day(self) -> None:
        """Large counts show the slightest change; half a point is biology, five are not."""
        for before, after in ((105.0, 105.0), (105.6, 104.9)):
            series = united_states(before, after, date(1979, 1, 1))
            assert fired(series) == {key: [] for key in RATIO_MONITORS}
        for key, alarms in fired(united_states(105, 110, date(1979, 1, 1))).items():
            assert alarms[0] >= date(1979, 1, 1), key
            assert alarms[0] <= date(1979, 2, 28), key


@pytest.mark.long
@pytest.mark.timeout(3600)
class TestPromises:
    @pytest.mark.parametrize("a_day", VOLUMES)
    def test_mean_time_between_false_alarms(self, a_day: int) -> None:
        lengths = run_lengths(a_day, 4000)
        error = lengths.std() / math.sqrt(len(lengths))
        assert lengths.mean() >= TEN_YEARS - 2 * error

    @pytest.mark.parametrize("a_day", VOLUMES)
    def test_histories_of_ten_years(self, a_day: int) -> None:
        histories = 200
        found = simulate(a_day, histories, 40)
        for key, most in (
            ("eprocess_known", 0.05),
            ("sex_ratio_drift", 0.05),
            ("sex_ratio_level", 0.01),
        ):
            error = math.sqrt(most * (1 - most) / histories)
            assert found[key].ever <= most + 2 * error, key
        promised = TEN_YEARS / shift_of("sex_ratio_at_birth").promise_days
        for key, most in (("cusum_known", 1.0), ("sex_ratio_shift", promised)):
            assert np.mean(found[key].alarms) <= most + 2 * math.sqrt(most / histories), key
        assert found["gate"].ever == 1, "what a fixed gate does instead"
        assert found["rule"].ever > 0.4, "what an interval looked at daily does instead"
        if a_day == 180:
            delays = found["cusum_known"].delays
            assert np.median(delays[110.0]) < 120
            assert np.median(delays[115.0]) < 45


class Hospitals:
    """Births of two hospitals, of which one sends nothing for three weeks and then all at once."""

    FIRST = date(2015, 1, 1)
    DAYS = 500
    STOPS, RESUMES = 400, 421

    def __init__(self) -> None:
        chance = np.random.default_rng(9)
        delay = np.minimum(chance.geometric(0.5, (self.DAYS, 180)) - 1, 10)
        day = np.arange(self.DAYS)[:, None]
        self.boy = chance.random((self.DAYS, 180)) < 105 / 205
        self.second = np.arange(180) >= 120
        self.in_time = day + delay
        stopped = self.second & (self.in_time >= self.STOPS) & (self.in_time < self.RESUMES)
        self.known = np.where(stopped, self.RESUMES, self.in_time)

    def series(self, today: int, known: np.ndarray) -> Series | None:  # type: ignore[type-arg]
        """The counts up to the last complete day, as known at the end of a day."""
        seen = known <= today
        age = today - np.arange(self.DAYS)[:, None]
        late = known - np.arange(self.DAYS)[:, None]
        by_delay = [int((seen & (late == k) & (age >= k)).sum()) for k in range(HORIZON)]
        at_risk = [int((seen & (late <= k) & (age >= k)).sum()) for k in range(HORIZON)]
        after = complete_after(known_shares(by_delay, at_risk), COMPLETE)
        assert after is not None
        counts = [((self.boy & seen).sum(1), seen.sum(1))]
        boys, births = (c[: today + 1].astype(float) for c in counts[0])
        whole = Series(self.FIRST, boys, births)
        return whole.until(self.FIRST + timedelta(today - after))

    def silence(self, today: int) -> list[Pause]:
        """Pauses of the second hospital as seen the day after."""
        heard = np.unique(self.known[:, self.second])
        days = [self.FIRST + timedelta(int(n)) for n in heard if n <= today]
        return pauses(days, self.FIRST + timedelta(today), TEN_YEARS)


class TestHospitalThatIsLate:
    HOSPITALS = Hospitals()

    def days(self) -> Iterator[int]:
        yield from range(self.HOSPITALS.STOPS - 3, self.HOSPITALS.RESUMES + 40)

    def test_its_silence_is_told_and_nothing_drifts(self) -> None:
        hospitals = self.HOSPITALS
        silent = []
        for today in self.days():
            series = hospitals.series(today, hospitals.known)
            assert series is not None
            assert not any(fired(series).values()), today
            found = hospitals.silence(today)
            if found and found[-1].end is None:
                silent.append(today)
        assert silent == list(range(hospitals.STOPS + 2, hospitals.RESUMES))
        (pause,) = hospitals.silence(hospitals.RESUMES)
        assert pause.since == hospitals.FIRST + timedelta(hospitals.STOPS)
        assert pause.end == hospitals.FIRST + timedelta(hospitals.RESUMES)

    def test_afterwards_it_is_as_if_it_had_never_been(self) -> None:
        hospitals = self.HOSPITALS
        today = hospitals.RESUMES + 40
        late = hospitals.series(today, hospitals.known)
        in_time = hospitals.series(today, hospitals.in_time)
        assert late is not None
        assert in_time is not None
        last = min(late.last, in_time.last)
        for series in (late, in_time):
            assert (today - (series.last - hospitals.FIRST).days) < 28
        one, two = (all_paths(s) for series in (late, in_time) if (s := series.until(last)))
        for key in RATIO_MONITORS:
            np.testing.assert_array_equal(one[key].up, two[key].up)
            np.testing.assert_array_equal(one[key].down, two[key].down)
        assert np.isfinite(one["sex_ratio_shift"].up[-1])
