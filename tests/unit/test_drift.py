"""The drift monitors by hand, and beside implementations that share no code with them."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.stats import beta, binom

from pipeline.core.drift.baseline import Blocks, learn
from pipeline.core.drift.cusum import Design, cusum
from pipeline.core.drift.eprocess import eprocess, log_evidence, own, target
from pipeline.core.drift.families import benjamini_hochberg, e_benjamini_hochberg
from pipeline.core.drift.funnel import funnel_limits, place
from pipeline.core.drift.levels import below, fall
from pipeline.core.drift.series import Series, log_odds
from pipeline.core.drift.silence import pauses, quiet_limit
from pipeline.core.drift.thresholds import average_run_length, threshold

FIRST = date(2010, 1, 1)
NORMAL = 105 / 205
SHIFT = math.log(110 / 105)
KNOWN = Design(110 / 105, 3650, 0.015, share=NORMAL, least=1)
OWN = Design(110 / 105, 3650, 0.015)


def births(ratios: list[tuple[int, float]], a_day: float = 180, seed: int = 7) -> Series:
    """Days of births with a ratio each stretch of days; the same ones for the same seed."""
    chance = np.random.default_rng(seed)
    shares = np.concatenate([np.full(days, ratio / (100 + ratio)) for days, ratio in ratios])
    trials = chance.poisson(a_day, len(shares))
    return Series(FIRST, chance.binomial(trials, shares).astype(float), trials.astype(float))


class TestSeries:
    def test_rows_in_any_order_add_up(self) -> None:
        day = FIRST + timedelta(2)
        series = Series.of([(day, 1, 2), (FIRST, 3, 4), (day, 1, 1)])
        assert series.successes.tolist() == [3, 0, 2]
        assert series.trials.tolist() == [4, 0, 3]
        assert series.last == day
        assert series.between(FIRST, FIRST + timedelta(1)) == (3, 4)
        assert series.until(FIRST - timedelta(1)) is None

    def test_what_cannot_be_is_refused(self) -> None:
        with pytest.raises(ValueError, match="more than trials"):
            Series.of([(FIRST, 3, 2)])
        with pytest.raises(ValueError, match="at least one day"):
            Series.of([])


class TestThresholds:
    def test_a_day_of_one_trial_by_hand(self) -> None:
        """Fair coin, odds tripled: up by log(3/2), down by log(2); limit log(3/2): two states.

        From zero a day ends it with one half, else stays at zero: two days on average.
        """
        assert average_run_length(1, 0.5, math.log(3), math.log(1.5)) == pytest.approx(2, rel=0.05)

    def test_published_figure(self) -> None:
        """180 births a day, 105 against 110, limit 4.9: 3,617 simulated, 3,841 by Markov chain."""
        assert 3500 < average_run_length(180, NORMAL, SHIFT, 4.9) < 3900

    @pytest.mark.parametrize("trials", [3, 17, 180, 4000])
    @pytest.mark.parametrize("shift", [SHIFT, -SHIFT])
    def test_the_lowest_limit_that_keeps_the_promise(self, trials: int, shift: float) -> None:
        limit = threshold(trials, log_odds(NORMAL), shift, 3650)
        assert average_run_length(trials, NORMAL, shift, limit) >= 3650
        assert average_run_length(trials, NORMAL, shift, 0.8 * limit) < 3650

    def test_simulated(self) -> None:
        chance = np.random.default_rng(11)
        limit = threshold(17, log_odds(NORMAL), 2 * SHIFT, 200)
        promised = average_run_length(17, NORMAL, 2 * SHIFT, limit)
        walks, days = np.zeros(4000), np.zeros(4000)
        alive = np.ones(4000, dtype=bool)
        offset = 17 * (
            math.log1p(NORMAL / (1 - NORMAL) * math.exp(2 * SHIFT)) + math.log1p(-NORMAL)
        )
        while alive.any():
            days[alive] += 1
            steps = chance.binomial(17, NORMAL, int(alive.sum())) * 2 * SHIFT - offset
            walks[alive] = np.maximum(walks[alive] + steps, 0)
            alive &= walks < limit
        error = float(days.std()) / math.sqrt(len(days))
        assert abs(float(days.mean()) - promised) < 4 * error + 0.02 * promised

    def test_a_promise_that_cannot_be(self) -> None:
        with pytest.raises(ValueError, match="needs trials"):
            threshold(0, 0.0, SHIFT, 3650)


def textbook(series: Series, normal: float, shifted: float, limit: float) -> list[float]:
    """Page's CUSUM as the textbook has it (Hawkins and Olwell 1998, ch. 6), one day after another.

    It sums deviations of the count from a reference value, in births, not likelihood ratios.
    """
    slope = math.log(shifted * (1 - normal) / (normal * (1 - shifted)))
    reference = math.log((1 - normal) / (1 - shifted)) / slope
    reached, level = [], 0.0
    for boys, all_ in zip(series.successes, series.trials, strict=True):
        level = max(0.0, level + boys - reference * all_)
        reached.append(level * slope)
        if level * slope >= limit:
            break
    return reached


class TestCusum:
    @pytest.mark.parametrize("a_day", [17, 180])
    @pytest.mark.parametrize("seed", range(8))
    def test_alarm_day_beside_the_textbook(self, a_day: int, seed: int) -> None:
        series = births([(900, 105), (1500, 114)], a_day, seed)
        path = cusum(series, KNOWN)
        first = path.episodes[0]
        counts, normal, shifted, walk = series, NORMAL, 110 / 210, path.up
        if first.direction == "down":  # a false alarm, which the textbook must give as well
            girls = series.trials - series.successes
            counts = Series(FIRST, girls, series.trials)
            factor = 105 / 110 * NORMAL / (1 - NORMAL)
            normal, shifted, walk = 1 - NORMAL, 1 / (1 + factor), path.down
        reached = textbook(counts, normal, shifted, first.limit)
        alarm = (first.alarm - FIRST).days
        assert len(reached) == alarm + 1
        np.testing.assert_allclose(walk[: alarm + 1], reached, atol=1e-9)

    def test_a_fall_is_seen_as_well(self) -> None:
        path = cusum(births([(900, 105), (900, 97)]), OWN)
        (episode,) = path.episodes
        assert episode.direction == "down"
        assert abs((episode.since - FIRST).days - 900) < 60
        assert episode.end is None
        assert path.lasting is episode

    def test_it_ends_when_normal_is_back(self) -> None:
        path = cusum(births([(1200, 105), (200, 116), (600, 105)]), OWN)
        (episode,) = path.episodes
        assert 1200 < (episode.alarm - FIRST).days < 1260
        assert episode.end is not None
        assert 1400 <= (episode.end - FIRST).days < 1600
        assert path.lasting is None

    def test_a_normal_of_its_own_is_no_drift(self) -> None:
        """113.5 was the national ratio of 2015: far from any target, and no change."""
        assert cusum(births([(2000, 113.5)]), OWN).episodes == []

    def test_nothing_is_said_before_a_baseline_is_known(self) -> None:
        path = cusum(births([(700, 105)], 17), OWN)
        assert np.isnan(path.up).all()
        assert set(path.baselines) == {None}

    def test_the_same_series_gives_the_same_path(self) -> None:
        series = births([(1000, 105), (300, 112)])
        one, two = cusum(series, OWN), cusum(series, OWN)
        np.testing.assert_array_equal(one.up, two.up)
        assert one.episodes == two.episodes

    def test_a_later_day_changes_nothing_before_it(self) -> None:
        """What was seen is a matter of the days up to it, so no alarm comes or goes by waiting."""
        series = births([(1000, 105), (300, 112)])
        early = series.until(FIRST + timedelta(1099))
        assert early is not None
        np.testing.assert_array_equal(cusum(early, OWN).up, cusum(series, OWN).up[:1100])


class TestBaseline:
    def test_a_bad_month_does_not_move_it(self) -> None:
        good = births([(3000, 105)])
        bad = Series(FIRST, good.successes.copy(), good.trials)
        bad.successes[200:228] = bad.trials[200:228]
        clean = np.ones(108)
        one = learn(Blocks.of(good), 107, clean, 0.015)
        two = learn(Blocks.of(bad), 107, clean, 0.015)
        assert one is not None
        assert two is not None
        assert abs(one.odds - two.odds) < one.error * 1.5
        assert abs(one.odds - log_odds(NORMAL)) < 3 * one.error

    def test_scatter_beyond_a_coin_s_is_seen(self) -> None:
        chance = np.random.default_rng(2)
        ratios = [(364, float(ratio)) for ratio in chance.normal(106.7, 2.5, 12)]
        blocks = Blocks.of(births(ratios))
        wild = learn(blocks, len(blocks.trials) - 1, np.ones(len(blocks.trials)), 0.1)
        blocks = Blocks.of(births([(12 * 364, 106.7)]))
        calm = learn(blocks, len(blocks.trials) - 1, np.ones(len(blocks.trials)), 0.1)
        assert wild is not None
        assert calm is not None
        assert wild.scatter > 2
        assert calm.scatter < 1.5


class TestEprocess:
    def test_one_sample_by_numerical_integration(self) -> None:
        """The mixture by plain numerical integration over the share."""
        shares = np.linspace(1e-6, 1 - 1e-6, 200_001)
        prior = beta.pdf(shares, 400 * NORMAL, 400 * (1 - NORMAL))
        mixture = np.trapezoid(prior * shares**560 * (1 - shares) ** 440 * 1e300, shares)
        expected = math.log(mixture) - 300 * math.log(10)
        expected -= 560 * math.log(NORMAL) + 440 * math.log(1 - NORMAL)
        assert log_evidence(560, 1000, NORMAL, NORMAL) == pytest.approx(expected, abs=1e-4)

    def test_a_share_in_the_band_is_no_evidence(self) -> None:
        assert log_evidence(515, 1000, 103 / 203, 107 / 207) < 0

    def test_a_shift_is_found_and_dated(self) -> None:
        series = births([(1500, 105), (700, 115)])
        path = eprocess(series, cusum(series, OWN).baselines, own(0.0))
        (episode,) = path.episodes
        assert episode.direction == "up"
        assert abs((episode.since - FIRST).days - 1500) <= 91
        assert 1500 < (episode.alarm - FIRST).days < 1650

    def test_level_and_drift_are_two_statements(self) -> None:
        """113.5 from the first day on is outside 103–107 and has not moved."""
        series = births([(1500, 113.5)])
        baselines = cusum(series, OWN).baselines
        assert eprocess(series, baselines, own(math.log(1.02))).episodes == []
        level = eprocess(series, baselines, target(math.log(1.03), math.log(1.07)), error=0.01)
        assert level.lasting is not None
        assert level.lasting.direction == "up"

    def test_looked_at_daily_for_three_years(self) -> None:
        alarms = 0
        for seed in range(60):
            series = births([(1100, 105)], 180, seed)
            baselines = cusum(series, KNOWN).baselines
            alarms += bool(eprocess(series, baselines, own(0.0)).episodes)
        assert alarms <= binom.ppf(0.999, 60, 0.05)


class TestLevels:
    def test_under_a_limit(self) -> None:
        series = Series(FIRST, np.array([99.0, 98.9, 98.0, 99.0]), np.full(4, 100.0))
        path = below(series, 99)
        (episode,) = path.episodes
        assert (episode.since, episode.end) == (FIRST + timedelta(1), FIRST + timedelta(3))
        assert episode.statistic == 98.0
        assert path.lasting is None

    def test_nobody_is_no_level(self) -> None:
        assert below(Series(FIRST, np.zeros(3), np.zeros(3)), 99).episodes == []

    def test_a_fall_of_just_so_many_points(self) -> None:
        managed = np.array([1000.0] * 8 + [997.0] * 8)
        path = fall(Series(FIRST, managed, np.full(16, 1000.0)), 7, 0.3)
        (episode,) = path.episodes
        assert (episode.alarm, episode.end) == (FIRST + timedelta(8), FIRST + timedelta(15))
        assert episode.since == FIRST + timedelta(2)
        assert fall(Series(FIRST, managed, np.full(16, 1001.0)), 7, 0.3).episodes == []


class TestSilence:
    def test_a_daily_feed(self) -> None:
        days = [FIRST + timedelta(n) for n in range(100)]
        assert pauses(days, days[-1] + timedelta(2), 3650) == []
        (pause,) = pauses(days, days[-1] + timedelta(3), 3650)
        assert (pause.since, pause.days, pause.limit) == (days[-1] + timedelta(1), 3, 2)
        assert pause.end is None

    def test_weekends_and_a_spring_festival_are_habits(self) -> None:
        days = [d for n in range(364) if (d := FIRST + timedelta(n)).weekday() < 5]
        days = [d for d in days if not FIRST + timedelta(40) <= d < FIRST + timedelta(52)]
        assert pauses(days, days[-1] + timedelta(12), 3650) == pauses(days, days[-1], 3650)
        assert pauses(days, days[-1] + timedelta(20), 3650)[-1].end is None

    def test_a_feed_that_resumes_ends_its_pause(self) -> None:
        days = [FIRST + timedelta(n) for n in (*range(100), *range(121, 130))]
        (pause,) = pauses(days, days[-1], 3650)
        assert (pause.days, pause.end) == (21, FIRST + timedelta(121))

    def test_too_little_is_known(self) -> None:
        days = [FIRST + timedelta(n) for n in range(20)]
        assert pauses(days, FIRST + timedelta(300), 3650) == []

    def test_the_limit_by_hand(self) -> None:
        """Active on every second day at random: (1/2)^(n+1) a day is under 1 in 3650 from 11 on."""
        assert quiet_limit(500, 1001, 8, 3650) == 10


class TestFamilies:
    def test_benjamini_hochberg_s_own_example(self) -> None:
        """Table 1 of the paper: fifteen p-values, four discoveries at 5 %."""
        chances = [
            *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
            *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
        ]
        found = benjamini_hochberg(dict(enumerate(chances)), 0.05)
        assert found == {0, 1, 2, 3}

    def test_one_of_ten_needs_ten_times_the_evidence(self) -> None:
        evidence = dict.fromkeys(range(9), 0.0)
        assert e_benjamini_hochberg(evidence | {9: math.log(199)}, 0.05) == set()
        assert e_benjamini_hochberg(evidence | {9: math.log(200.1)}, 0.05) == {9}
        assert e_benjamini_hochberg({}, 0.05) == set()


class TestFunnel:
    @pytest.mark.parametrize("trials", [50, 1000, 66_000])
    def test_beside_exact_quantiles(self, trials: int) -> None:
        limits = funnel_limits(trials, NORMAL)
        ends = (limits.low95, limits.high95, limits.low998, limits.high998)
        for end, chance in zip(ends, (0.025, 0.975, 0.001, 0.999), strict=True):
            exact = binom.ppf(chance, trials, NORMAL)
            assert exact - 1 <= end * trials <= exact

    def test_places(self) -> None:
        limits = funnel_limits(1000, 0.5)
        assert [place(n, 1000, limits) for n in (500, 540, 560)] == [
            "inside",
            "outside95",
            "outside998",
        ]
