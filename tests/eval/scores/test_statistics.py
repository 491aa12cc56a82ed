"""Statistics against scipy.stats, hand computation, and simulated coverage, size and power."""

import math

import numpy as np
import pytest
from scipy import stats

from grek.eval.scores import statistics as st

REPLICATIONS = 1000


class TestEstimates:
    @pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 17, 64])
    def test_interquartile_mean_is_the_trimmed_mean(self, n: int) -> None:
        values = np.random.default_rng(n).normal(size=(3, n))
        expected = stats.trim_mean(values, 0.25, axis=1)
        np.testing.assert_allclose(st.interquartile_mean(values), expected)

    def test_worst_decile_by_hand(self) -> None:
        assert st.worst_decile(np.arange(20.0)) == pytest.approx(0.5)  # of 0 and 1
        # A tenth of 15 is 1.5 values: (0 + 1 / 2) / 1.5.
        assert st.worst_decile(np.arange(15.0)[::-1].copy()) == pytest.approx(1 / 3)
        assert st.worst_decile(np.array([0.4, 0.7])) == pytest.approx(0.4)  # fewer than ten


class TestWilson:
    @pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (7, 16), (95, 100), (475, 500)])
    def test_scipy(self, k: int, n: int) -> None:
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        ours = st.wilson(k, n)
        assert (ours.mean, ours.low, ours.high) == pytest.approx((k / n, *expected), abs=1e-12)

    def test_fractional_successes_solve_the_score_equation(self) -> None:
        # The bounds p of Wilson's interval are the roots of |rate - p| = z sqrt(p (1 - p) / n).
        ours = st.wilson(2.5, 4)
        for p in (ours.low, ours.high):
            assert abs(0.625 - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / 4), rel=1e-6)

    def test_exact_ends_and_nothing(self) -> None:
        assert st.wilson(0, 10).low == 0
        assert st.wilson(10, 10).high == 1
        assert math.isnan(st.wilson(0, 0).mean)


class TestBootstrap:
    def test_large_samples_agree_with_scipy(self) -> None:
        values = np.random.default_rng(0).beta(5, 2, 400)
        ours = st.bootstrap_interval(values, seed=1)
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=5000, method="percentile", rng=2
        ).confidence_interval
        assert ours.mean == pytest.approx(values.mean())
        assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.002)

    def test_small_samples_are_as_wide_as_the_t_interval(self) -> None:
        values = np.array([2.1, 1.9, 2.4, 2.0, 1.7, 2.6, 2.2, 1.8])
        half = stats.t.ppf(0.975, 7) * values.std(ddof=1) / np.sqrt(8)
        ours = st.bootstrap_interval(values, seed=1, resamples=20_000)
        assert ours.high - ours.low == pytest.approx(2 * half, rel=0.08)

    def test_strata_take_the_spread_between_them_out(self) -> None:
        strata = np.repeat(["a", "b", "c"], 20)
        values = np.repeat([0.0, 10.0, 20.0], 20) + np.tile([-1.0, 1.0], 30)
        inside = st.bootstrap_interval(values, 0, strata=list(strata))
        # Standard error of the mean of 60 values with standard deviation 1 inside the strata.
        se = 1 / math.sqrt(57)
        assert inside.high - inside.low == pytest.approx(2 * 2.0025 * se, rel=0.08)
        blind = st.bootstrap_interval(values, 0)
        assert blind.high - blind.low > 3

    def test_order_of_the_episodes_of_interleaved_strata(self) -> None:
        # A value is resampled only inside its own stratum: two constants stay what they are.
        interval = st.bootstrap_interval([1, 5] * 8, 0, strata=["a", "b"] * 8)
        assert (interval.mean, interval.low, interval.high) == (3, 3, 3)

    def test_deterministic_and_seeded(self) -> None:
        values = np.random.default_rng(0).random(30)
        assert st.bootstrap_interval(values, 7) == st.bootstrap_interval(values, 7)
        assert st.bootstrap_interval(values, 7) != st.bootstrap_interval(values, 8)

    def test_what_says_nothing_is_nan(self) -> None:
        one = st.bootstrap_interval([0.4, math.nan], 0)
        assert one.mean == 0.4
        assert math.isnan(one.low)
        assert math.isnan(one.high)
        assert math.isnan(st.bootstrap_interval([], 0).mean)
        assert math.isnan(st.gap_interval([], [0.4, 0.5], 0).mean)
        assert math.isnan(st.gap_interval([0.3], [0.4, 0.5], 0).low)

    def test_one_value_in_each_stratum_is_one_sample(self) -> None:
        values = [0.1, 0.4, 0.5, 0.9]
        assert st.bootstrap_interval(values, 0, strata=list("abcd")) == st.bootstrap_interval(
            values, 0
        )

    def test_few_values_have_the_t_interval(self) -> None:
        values = np.array([0.2, 0.5, 0.9, 0.6])
        ours = st.bootstrap_interval(values, 0)
        theirs = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
        assert (ours.low, ours.high) == pytest.approx(theirs, rel=1e-12)

    @pytest.mark.parametrize(("size", "dof"), [(8, 7), (24, 20), (400, 399)])
    def test_expansion_of_the_tail(self, size: int, dof: int) -> None:
        # Equidistant draws in [0, 1]: each is its own quantile.
        ours = st.expanded_percentiles(0.0, np.arange(100_001) / 100_000, size, dof, 0.05)
        tail = stats.norm.cdf(-math.sqrt(size / dof) * stats.t.ppf(0.95, dof))
        assert (ours.low, ours.high) == pytest.approx((tail, 1 - tail), abs=1e-9)


class TestClusters:
    def test_values_of_one_cluster_count_as_their_mean(self) -> None:
        means = np.array([0.2, 0.9, 0.5, 0.7, 0.4, 0.6])
        values = (means[:, None] + [-0.1, 0.0, 0.1, math.nan]).ravel()
        clusters, strata = [i // 4 for i in range(24)], [i % 4 for i in range(24)]
        ours = st.bootstrap_interval(values, 0, strata=strata, clusters=clusters)
        alone = st.bootstrap_interval(means, 0)
        assert (ours.mean, ours.low, ours.high) == pytest.approx(
            (alone.mean, alone.low, alone.high)
        )
        assert st.non_inferiority(values, 0.05, clusters=clusters).n == 6

    def test_survival(self) -> None:
        expected = stats.binomtest(3, 4).proportion_ci(method="wilson")
        ours = st.survival_interval([1, 1, 1, 1, 1, 0, 1, 0], clusters=list("aabbccdd"))
        assert (ours.mean, ours.low, ours.high) == pytest.approx((0.75, *expected))
        # One world in which half of the contexts fell: 1.5 of 2 survived.
        assert st.survival_interval([1, 1, 1, 0], clusters=list("aabb")) == st.wilson(1.5, 2)


class TestTraversalInterval:
    def test_a_fall_not_seen_yet_lowers_the_bound(self) -> None:
        interval = st.traversal_interval([1.0] * 16, [True] * 16, 0)
        # Wilson's lower bound of 16 of 16 is 0.806; an unseen fall costs half of a traversal of 1.
        expected = 1 - 0.5 * (1 - stats.binomtest(16, 16).proportion_ci(method="wilson").low)
        assert (interval.mean, interval.low, interval.high) == pytest.approx((1, expected, 1))

    def test_seen_falls_cost_what_they_cost(self) -> None:
        traversal = [0.9] * 6 + [0.3] * 2
        interval = st.traversal_interval(traversal, [True] * 6 + [False] * 2, 0)
        low = stats.binomtest(6, 8).proportion_ci(method="wilson").low
        bootstrap = st.bootstrap_interval(traversal, 0)
        expected = min(0.75 - 0.6 * (0.75 - low), bootstrap.low)
        assert interval.low == pytest.approx(expected)
        assert interval.high == bootstrap.high

    def test_all_fell(self) -> None:
        values = [0.1, 0.2, 0.15, 0.05]
        found, plain = (
            st.traversal_interval(values, [False] * 4, 3),
            st.bootstrap_interval(values, 3),
        )
        assert (found.mean, found.low) == (plain.mean, plain.low)
        # A survivor would have a traversal of 1, and up to wilson(0, 4).high may survive.
        assert found.high == pytest.approx(0.125 + 0.875 * st.wilson(0, 4).high)


class TestPairedTests:
    @pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 9), (12, 2), (5, 5)])
    def test_mcnemar_is_the_binomial_test(self, lost: int, won: int) -> None:
        first = [True] * lost + [False] * won + [True] * 20 + [False] * 3
        second = [False] * lost + [True] * won + [True] * 20 + [False] * 3
        n = lost + won
        expected = stats.binomtest(min(lost, won), n).pvalue if n else 1.0
        assert st.mcnemar(first, second) == pytest.approx(expected)

    def test_sign_flip_by_enumeration(self) -> None:
        values = np.array([-0.3, -0.1, -0.2, 0.05, -0.4, -0.02])
        signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
        sums = signs @ values
        loss, gain = st.sign_flip(values, 0, flips=40_000)
        assert loss == pytest.approx((sums <= values.sum() + 1e-12).mean(), abs=0.004)
        assert gain == pytest.approx((sums >= values.sum() - 1e-12).mean(), abs=0.004)

    def test_sign_flip_of_nothing(self) -> None:
        assert st.sign_flip(np.zeros(20), 0) == (1, 1)

    def test_holm_by_hand(self) -> None:
        # 0.01 * 4, 0.02 * 3, then no less than before: 0.03 * 2 = 0.06, 0.5 * 1.
        adjusted = st.holm([0.5, 0.01, 0.03, 0.02])
        np.testing.assert_allclose(adjusted, [0.5, 0.04, 0.06, 0.06])
        assert st.holm([0.9, 0.8]).max() <= 1


class TestNonInferiority:
    def test_verdicts(self) -> None:
        noise = np.tile([-0.05, 0.05], 32)  # standard error 0.0063
        cases = {0.04: "superior", 0.0: "non-inferior", -0.03: "non-inferior", -0.2: "inferior"}
        for shift, verdict in cases.items():
            assert st.non_inferiority(noise + shift, 0.05).verdict == verdict, shift
        assert st.non_inferiority(np.tile([-0.5, 0.5], 8), 0.05).verdict == "inconclusive"

    def test_identical_episodes_pass_and_one_alone_says_nothing(self) -> None:
        same = st.non_inferiority(np.zeros(8), 0.05)
        assert (same.verdict, same.low, same.high) == ("non-inferior", 0, 0)
        assert st.non_inferiority([0.0], 0.05).verdict == "inconclusive"

    def test_bounds_are_the_one_sided_t_bounds(self) -> None:
        values = np.random.default_rng(3).normal(0, 0.1, 12)
        half = stats.t.ppf(0.95, 11) * values.std(ddof=1) / np.sqrt(12)
        test = st.non_inferiority(values, 0.05)
        assert values.mean() - test.low == pytest.approx(half, rel=0.15)
        assert test.high - values.mean() == pytest.approx(half, rel=0.15)


def walks(rng: np.random.Generator, n: int, falls: float) -> tuple[np.ndarray, np.ndarray]:
    """Typical traversal and survival: beta near 0.9 if up, uniform below after a fall."""
    stood = rng.random(n) >= falls
    return np.where(stood, rng.beta(30, 3, n), rng.uniform(0, 0.9, n)), stood


def expected_walk(falls: float) -> float:
    """Expected value of `walks`: of a beta and a uniform distribution."""
    return (1 - falls) * 30 / 33 + falls * 0.45


class TestCoverage:
    """Coverage of 95 % intervals; simulation error 0.7 %."""

    def covered(self, interval, truth: float) -> float:  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(5)
        found = [interval(rng, i) for i in range(REPLICATIONS)]
        return float(np.mean([i.low <= truth <= i.high for i in found]))

    @pytest.mark.parametrize("n", [2, 4, 8, 16, 64])
    def test_mean(self, n: int) -> None:
        rate = self.covered(lambda rng, i: st.bootstrap_interval(rng.normal(size=n), i, 800), 0)
        assert 0.93 <= rate <= 0.97

    def test_mean_over_new_rows(self) -> None:
        """Rows of N(0.5, 0.1), 12 episodes of N(row, 0.1) each: the mean over all such rows."""
        rng, labels = np.random.default_rng(11), np.repeat(np.arange(12), 12)
        rows = worlds = 0
        for trial in range(300):
            values = (0.5 + rng.normal(0, 0.1, 12))[labels] + rng.normal(0, 0.1, len(labels))
            found = st.row_interval(values, list(labels), trial, resamples=400)
            fixed = st.bootstrap_interval(values, trial, resamples=400, strata=list(labels))
            rows += found.low <= 0.5 <= found.high
            worlds += fixed.low <= 0.5 <= fixed.high
        assert 0.92 <= rows / 300 <= 0.98
        assert worlds / 300 < 0.6  # of these rows only

    def test_a_single_row_says_nothing_of_others(self) -> None:
        found = st.row_interval([0.4, 0.6], ["ice", "ice"], 0)
        assert found.mean == pytest.approx(0.5) and math.isnan(found.low)
        assert math.isnan(st.row_interval([], [], 0).mean)

    def test_stratified_mean_and_gap(self) -> None:
        easy, hard = (0.05, 0.1, 0.15), (0.2, 0.4, 0.5)

        def draw(rng: np.random.Generator, rates: tuple[float, ...]) -> np.ndarray:
            return np.concatenate([walks(rng, 16, falls)[0] for falls in rates])

        strata = [i // 16 for i in range(48)]
        truth = {rates: np.mean([expected_walk(f) for f in rates]) for rates in (easy, hard)}
        stratified = self.covered(
            lambda rng, i: st.bootstrap_interval(draw(rng, hard), i, 800, strata), truth[hard]
        )
        assert 0.93 <= stratified <= 0.97
        gap = self.covered(
            lambda rng, i: st.gap_interval(
                draw(rng, easy), draw(rng, hard), i, 800, strata, strata
            ),
            truth[easy] - truth[hard],
        )
        assert 0.93 <= gap <= 0.97

    @pytest.mark.parametrize(
        ("n", "falls"), [(16, 0.05), (16, 0.1), (64, 0.05), (64, 0.5), (12, 0.95), (64, 0.95)]
    )
    def test_traversal_with_rare_falls_is_never_far_below_its_word(
        self, n: int, falls: float
    ) -> None:
        rate = self.covered(
            lambda rng, i: st.traversal_interval(*walks(rng, n, falls), i, 800),
            expected_walk(falls),
        )
        assert rate >= 0.915


class TestGate:
    """Size and power with a margin of 0.05; pairing leaves a standard deviation of 0.11."""

    NOISE = 0.113  # two independent policies with 0.08 each

    def verdicts(self, loss: float, n: int, replications: int = 400) -> list[str]:
        rng = np.random.default_rng(11)
        return [
            st.non_inferiority(rng.normal(-loss, self.NOISE, n), 0.05, seed=i).verdict
            for i in range(replications)
        ]

    def test_false_alarms_on_equal_policies(self) -> None:
        passed = np.isin(self.verdicts(0.0, 64), ["non-inferior", "superior"])
        assert 1 - passed.mean() <= 0.05

    def test_power_against_a_loss_of_a_tenth(self) -> None:
        caught = np.isin(self.verdicts(0.10, 64), ["inferior", "inconclusive"])
        assert caught.mean() >= 0.90

    def test_with_falls_in_different_worlds(self) -> None:
        """320 worlds, falls in a tenth: an equal policy passes, a loss of 0.1 fails."""
        rng = np.random.default_rng(3)
        equal, worse = [], []
        for i in range(40):
            before, now = walks(rng, 320, 0.1)[0], walks(rng, 320, 0.1)[0]
            equal.append(st.non_inferiority(now - before, 0.05, seed=i).verdict)
            lost = np.clip(now - 0.1, 0, 1) - before
            worse.append(st.non_inferiority(lost, 0.05, seed=i).verdict)
        assert np.isin(equal, ["non-inferior", "superior"]).mean() >= 0.9
        assert np.isin(worse, ["inferior", "inconclusive"]).all()

    def test_a_loss_of_the_margin_passes_one_time_in_twenty(self) -> None:
        passed = np.isin(self.verdicts(0.05, 64, 800), ["non-inferior", "superior"])
        assert 0.02 <= passed.mean() <= 0.08


# -- large samples -------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", [st.mean, st.interquartile_mean, st.worst_decile])
def test_large_samples_have_the_intervals_of_the_bootstrap(statistic, monkeypatch):
    """Two strata far apart, whose distance does not count in the error."""
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.beta(5, 1, 8000), rng.beta(2, 5, 4000) - 2])
    strata = ["a"] * 8000 + ["b"] * 4000
    found = st.bootstrap_interval(values, 1, 1000, strata, statistic)
    monkeypatch.setattr(st, "LARGE", 10**9)
    drawn = st.bootstrap_interval(values, 1, 1000, strata, statistic)
    assert found.mean == drawn.mean
    assert found.high - found.low == pytest.approx(drawn.high - drawn.low, rel=0.2)
    assert abs(found.low - drawn.low) < 0.15 * (drawn.high - drawn.low)


def test_large_samples_have_the_p_values_of_flipped_signs(monkeypatch):
    rng = np.random.default_rng(4)
    values = rng.normal(-0.02, 1, 12_000)
    found = st.sign_flip(values, 1)
    monkeypatch.setattr(st, "LARGE", 10**9)
    assert found == pytest.approx(st.sign_flip(values, 1), abs=0.01)
    assert found[0] + found[1] == pytest.approx(1)
