import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import norm, t

from trainroute.metrics import (
    GroupPrior,
    common_standard_error,
    degrees_of_freedom,
    group_posterior,
    standard_errors,
)

PRIOR = GroupPrior()
SCALE = 0.02


def measured_panel(rng, effect, *, n_blocks=37, error=0.03, common=0.3):
    """Estimates and block totals of symbols that share ``common`` of the variance of their errors."""
    size = error * np.exp(0.2 * rng.normal(size=len(effect))) / np.sqrt(n_blocks)
    noise = np.sqrt(common) * rng.normal(size=n_blocks) + np.sqrt(1 - common) * rng.normal(size=(len(effect), n_blocks))
    totals = noise * size[:, None]
    return 0.5 + effect + totals.sum(axis=1), totals - totals.mean(axis=1, keepdims=True)


def read(estimate, totals):
    """Do what evaluation does with estimates and block totals."""
    return group_posterior(
        estimate,
        standard_errors(totals),
        common_se=common_standard_error(totals, np.ones(len(totals))),
        degrees=degrees_of_freedom(totals),
    )


def drawn_from_the_prior(rng, n_draws, n_members, common_se, prior=PRIOR):
    """Effects of groups that follow the model, and the error that each group shares."""
    weights = np.array(prior.null_share_weights) / sum(prior.null_share_weights)
    share = np.where(rng.random(n_draws) < prior.all_null, 1.0, rng.choice(prior.null_shares, n_draws, p=weights))
    mean = SCALE * rng.standard_t(prior.mean_degrees, n_draws)
    spread = SCALE * rng.choice(prior.spreads, n_draws)
    two = (rng.random(n_draws) < prior.two_effects) & (share < 1)
    share = np.where(two, rng.choice(prior.base_shares, n_draws), share)
    spread = np.where(two, SCALE * rng.choice(prior.base_spreads, n_draws), spread)
    base_mean = np.where(two, SCALE * rng.standard_t(prior.mean_degrees, n_draws), 0.0)
    in_base = rng.random((n_draws, n_members)) < share[:, None]
    normal = rng.normal(size=(n_draws, n_members))
    base = base_mean[:, None] + np.where(two, spread, 0.0)[:, None] * normal
    effect = np.where(in_base, base, mean[:, None] + spread[:, None] * normal)
    return effect, common_se * rng.normal(size=n_draws)


class TestAgainstOtherWays:
    @pytest.mark.parametrize(("estimate", "error"), [(0.53, 0.01), (0.47, 0.02), (0.6, 0.03), (0.5, 0.001)])
    def test_one_member_is_an_integral_over_the_mean_effect(self, estimate, error):
        mean, step = np.linspace(-1, 1, 200_001, retstep=True)
        weights = np.array(PRIOR.null_share_weights) / sum(PRIOR.null_share_weights)
        nothing = PRIOR.all_null + (1 - PRIOR.all_null) * weights @ PRIOR.null_shares
        mass, above, total = nothing * norm.pdf(estimate - 0.5, 0, error), 0.0, 0.0
        for spread in SCALE * np.array(PRIOR.spreads):
            density = t.pdf(mean / SCALE, PRIOR.mean_degrees) / SCALE * step * (1 - nothing) / len(PRIOR.spreads)
            density *= norm.pdf(estimate - 0.5, mean, np.hypot(spread, error))
            weight = spread**2 / (spread**2 + error**2)
            centre = mean + weight * (estimate - 0.5 - mean)
            mass += density.sum()
            above += density @ norm.cdf(centre / max(np.sqrt(weight) * error, 1e-12))
            total += density @ centre
        found = group_posterior([estimate], [error])
        assert found.p_above[0] == pytest.approx(above / mass, abs=0.005)
        assert found.mean[0] - 0.5 == pytest.approx(total / mass, abs=3e-4)
        p_nothing = nothing * norm.pdf(estimate - 0.5, 0, error) / mass
        assert found.p_better[0] == pytest.approx(above / mass + p_nothing / 2, abs=0.005)

    @pytest.mark.parametrize("common_se", [0.0, 0.015])
    @pytest.mark.parametrize("two_effects", [0.0, 0.5, 1.0])
    def test_several_members_are_a_weighted_draw_from_the_prior(self, common_se, two_effects):
        rng, prior = np.random.default_rng(0), GroupPrior(two_effects=two_effects)
        effect, shared = drawn_from_the_prior(rng, 1_000_000, 4, common_se, prior)
        estimate, error = np.array([0.02, 0.035, -0.01, 0.05]), np.array([0.02, 0.025, 0.022, 0.03])
        own = error**2 - common_se**2
        log = (-0.5 * (estimate - effect - shared[:, None]) ** 2 / own).sum(axis=1)
        weight = np.exp(log - log.max())
        weight /= weight.sum()
        assert 1 / (weight**2).sum() > 10_000
        found = group_posterior(estimate, error, common_se=common_se, null=0.0, prior=prior)
        np.testing.assert_allclose(found.p_above, weight @ (effect > 0), atol=0.015)
        np.testing.assert_allclose(found.p_better, weight @ ((effect > 0) + 0.5 * (effect == 0)), atol=0.015)
        np.testing.assert_allclose(found.mean, weight @ effect, atol=0.001)
        assert found.group_mean == pytest.approx(found.mean.mean())
        assert found.p_group_above == pytest.approx(weight @ (effect.mean(axis=1) > 0), abs=0.03)

    def test_without_evidence_there_is_the_prior(self):
        effect, _ = drawn_from_the_prior(np.random.default_rng(1), 400_000, 1, 0.0)
        found = group_posterior([np.nan, 0.7], [0.01, np.nan])
        for p_above in (*found.p_above, found.predictive_p_above, found.p_group_above):
            assert p_above == pytest.approx((effect > 0).mean(), abs=0.01)
        assert found.p_better == pytest.approx([0.5, 0.5])
        assert found.mean == pytest.approx([0.5, 0.5])
        assert found.p_above[0] < 0.35


class TestGroups:
    def test_two_groups_are_told_apart(self):
        rng = np.random.default_rng(2)
        effect = np.repeat([0.08, 0.0], 20)
        found = group_posterior(0.5 + effect + 0.015 * rng.normal(size=40), np.full(40, 0.015))
        assert (found.p_above[:20] > 0.95).mean() >= 0.9
        assert (found.p_above[20:] > 0.95).mean() == 0
        assert np.abs(found.mean - 0.5 - effect).mean() < 0.008
        assert found.mean[:20].mean() == pytest.approx(0.58, abs=0.01)

    def test_two_groups_that_both_differ_are_told_apart(self):
        rng = np.random.default_rng(5)
        gap = np.repeat([-0.04, 0.10], 20) + 0.03 * rng.normal(size=40)
        found = group_posterior(gap, np.full(40, 0.03), null=0.0, prior=GroupPrior(two_effects=0.4))
        without = group_posterior(gap, np.full(40, 0.03), null=0.0)
        assert (found.p_better[:20] < 0.3).mean() >= 0.9
        assert (found.p_better[20:] > 0.7).mean() >= 0.9
        assert found.p_better[:20].mean() < without.p_better[:20].mean() - 0.1

    def test_a_homogeneous_group_is_passed_together(self):
        rng = np.random.default_rng(3)
        estimate = 0.53 + 0.03 * rng.normal(size=40)
        found = group_posterior(estimate, np.full(40, 0.03))
        assert found.p_group_above > 0.999
        assert (found.p_above > 0.6).all()
        assert np.ptp(found.mean) < 0.3 * np.ptp(estimate)

    def test_one_strong_member_does_not_lift_the_others(self):
        estimate = np.append(0.5 + 0.01 * np.linspace(-1.5, 1.5, 39), 0.60)
        found = group_posterior(estimate, np.full(40, 0.01))
        assert found.p_above[-1] > 0.99
        assert found.mean[-1] > 0.57
        assert (found.p_above[:-1] < 0.6).all()

    def test_a_new_member_of_a_good_group_is_expected_to_be_good(self):
        rng = np.random.default_rng(4)
        estimate = np.append(0.60 + 0.02 * rng.normal(size=30), np.nan)
        found = group_posterior(estimate, np.full(31, 0.02))
        assert found.predictive_p_above > 0.95
        assert found.p_above[-1] == found.predictive_p_above
        assert found.mean[-1] == found.predictive_mean == pytest.approx(0.60, abs=0.01)

    def test_a_common_error_is_not_averaged_away(self):
        rng = np.random.default_rng(5)
        estimate = 0.52 + 0.02 * rng.normal(size=400)
        alone = group_posterior(estimate, np.full(400, 0.02))
        assert alone.p_group_above > 0.999
        shared = group_posterior(estimate, np.full(400, np.hypot(0.02, 0.02)), common_se=0.02)
        assert shared.p_group_above < 0.9
        assert (shared.p_above < 0.9).all()

    def test_wide_errors_of_few_blocks_count_less(self):
        estimate, error = [0.55, 0.50], [0.02, 0.02]
        sure, unsure = (group_posterior(estimate, error, degrees=d).p_above[0] for d in (np.inf, 4))
        assert unsure < sure - 0.05
        assert group_posterior(estimate, error, degrees=1e6).p_above[0] == pytest.approx(sure, abs=1e-3)

    def test_one_and_two_members_are_not_overconfident(self):
        rng = np.random.default_rng(6)
        for n in (1, 2):
            passed = [read(*measured_panel(rng, np.zeros(n))).p_above > 0.95 for _ in range(120)]
            assert np.mean(passed) <= 0.02
        assert group_posterior([0.65], [0.02]).p_above[0] > 0.99


class TestSimulation:
    @pytest.mark.parametrize(("common", "limit"), [(0.0, 0.01), (0.3, 0.02), (0.5, 0.03)])
    def test_noise_does_not_pass(self, common, limit):
        rng = np.random.default_rng(int(10 * common))
        found = [read(*measured_panel(rng, np.zeros(40), common=common)) for _ in range(50)]
        passed = np.array([(f.p_above > 0.95) & (f.mean > 0.51) for f in found])
        assert passed.mean() <= limit
        assert passed.any(axis=1).mean() <= 0.1
        assert np.mean([f.mean.mean() for f in found]) == pytest.approx(0.5, abs=0.003)

    def test_probabilities_are_calibrated(self):
        rng = np.random.default_rng(7)
        said, true = [], []
        for kind in range(90):
            effect = [
                np.zeros(40),
                np.where(np.arange(40) % 2, 0.05 + 0.01 * rng.normal(size=40), 0.0),
                np.abs(0.03 * rng.normal(size=40)),
                0.03 + 0.005 * rng.normal(size=40),
                np.where(np.arange(40) % 8, 0.0, 0.08),
                np.zeros(40),
            ][kind % 6]
            found = read(*measured_panel(rng, effect, common=(0.0, 0.3, 0.5)[kind % 3]))
            said.append(found.p_above)
            true.append(effect > 0)
        said, true = np.concatenate(said), np.concatenate(true)
        for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
            chosen = (said >= low) & (said < high)
            assert chosen.sum() > 100
            assert true[chosen].mean() == pytest.approx(said[chosen].mean(), abs=0.15)
        assert true[said > 0.95].mean() > 0.95
        assert true[said > 0.99].mean() > 0.985


class TestCommonStandardError:
    @pytest.mark.parametrize("common", [0.0, 0.3, 0.5])
    def test_finds_the_share_of_the_variance_that_members_share(self, common):
        rng = np.random.default_rng(8)
        found = [
            common_standard_error(measured_panel(rng, np.zeros(40), common=common)[1], np.ones(40)) ** 2
            for _ in range(200)
        ]
        # 0.03² times exp(0.2²) / exp(0.2² / 2): the mean product of two sizes is smaller than the mean square.
        truth = common * 0.03**2 * np.exp(0.2**2)
        assert truth - 0.1 * common * 0.03**2 <= np.mean(found) <= 1.2 * truth + 0.02 * 0.03**2

    def test_is_nothing_for_one_member_or_none(self):
        totals = np.random.default_rng(9).normal(size=(3, 30))
        assert common_standard_error(totals[:1], [1.0]) == 0.0
        assert common_standard_error(totals, [0.0, 0.0, 0.0]) == 0.0
        assert common_standard_error(totals, [0.0, 1.0, 0.0]) == 0.0
        assert common_standard_error(np.empty((0, 30)), []) == 0.0

    def test_members_without_weight_or_evidence_do_not_count(self):
        rng = np.random.default_rng(10)
        totals = rng.normal(size=30) + rng.normal(size=(6, 30))
        padded = np.vstack((totals, np.zeros((1, 30)), 100 * rng.normal(size=(1, 30))))
        expected = common_standard_error(totals, np.ones(6))
        assert expected > 0
        assert common_standard_error(padded, [*np.ones(7), 0.0]) == pytest.approx(expected, rel=1e-12)

    def test_equal_members_share_everything(self):
        series = np.random.default_rng(11).normal(size=30)
        own = standard_errors(series[None])[0]
        assert own <= common_standard_error(np.tile(series, (5, 1)), np.ones(5)) <= 1.25 * own

    def test_opposite_members_share_nothing(self):
        series = np.random.default_rng(12).normal(size=30)
        assert common_standard_error(np.stack((series, -series)), [1.0, 1.0]) == 0.0

    def test_refuses_impossible_weights(self):
        for weight in (-1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match="weights must be finite and not negative"):
                common_standard_error(np.ones((2, 3)), [1.0, weight])


class TestSymmetry:
    estimate = np.array([0.53, 0.49, np.nan, 0.61, 0.50])
    error = np.array([0.02, 0.03, 0.02, 0.04, 0.0])

    def test_order_of_members_does_not_matter(self):
        order = np.array([3, 0, 4, 2, 1])
        straight = group_posterior(self.estimate, self.error, common_se=0.01)
        turned = group_posterior(self.estimate[order], self.error[order], common_se=0.01)
        np.testing.assert_allclose(turned.p_above, straight.p_above[order], atol=1e-9)
        np.testing.assert_allclose(turned.mean, straight.mean[order], atol=1e-9)

    def test_only_the_distance_from_the_null_counts(self):
        at_half = group_posterior(self.estimate, self.error)
        at_zero = group_posterior(self.estimate - 0.5, self.error, null=0.0)
        np.testing.assert_allclose(at_zero.p_above, at_half.p_above, atol=1e-6)
        np.testing.assert_allclose(at_zero.mean + 0.5, at_half.mean, atol=1e-7)

    def test_the_unit_does_not_count(self):
        small = group_posterior(self.estimate - 0.5, self.error, null=0.0, common_se=0.01)
        large = group_posterior((self.estimate - 0.5) * 50, self.error * 50, null=0.0, common_se=0.5, scale=1.0)
        np.testing.assert_allclose(large.p_above, small.p_above, atol=1e-6)

    def test_turning_a_difference_around_turns_the_better_side_around(self):
        straight = group_posterior(self.estimate - 0.5, self.error, null=0.0, common_se=0.01)
        turned = group_posterior(0.5 - self.estimate, self.error, null=0.0, common_se=0.01)
        np.testing.assert_allclose(turned.p_better, 1 - straight.p_better, atol=0.005)
        np.testing.assert_allclose(turned.mean, -straight.mean, atol=3e-4)
        assert 0.3 < straight.p_better[2] < 0.8

    def test_twice_the_same_bits(self):
        first, second = (asdict(group_posterior(self.estimate, self.error, common_se=0.01)) for _ in range(2))
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name])


class TestEdges:
    def test_no_error_is_no_evidence(self):
        found = group_posterior([1.0, 0.52, 0.5], [0.0, 0.02, np.nan])
        assert found.p_above[0] == found.p_above[2] == found.predictive_p_above
        assert found.p_above[1] != found.predictive_p_above

    def test_an_empty_group(self):
        found = group_posterior([], [])
        assert found.mean.shape == (0,)
        assert found.group_mean == found.predictive_mean == pytest.approx(0.5)

    def test_members_that_differ_by_far_more_than_their_errors(self):
        found = group_posterior([0.0, 0.5, 1.0], [1e-6, 1e-6, 1e-6])
        assert (found.p_above > 0.99).tolist() == [False, False, True]
        np.testing.assert_allclose(found.mean, [0.0, 0.5, 1.0], atol=0.002)

    @pytest.mark.parametrize("common_se", [0.0, 0.001, 0.02, 0.5])
    def test_everything_is_a_probability_or_a_value(self, common_se):
        rng = np.random.default_rng(13)
        for n in (1, 3, 70):
            found = group_posterior(rng.random(n), 0.1 * rng.random(n), common_se=common_se)
            for p in (found.p_above, found.p_better, found.p_group_above, found.predictive_p_above):
                assert (np.asarray(p) >= 0).all()
                assert (np.asarray(p) <= 1 + 1e-12).all()
            assert np.isfinite(found.mean).all()

    @pytest.mark.parametrize(
        ("estimate", "error", "common_se", "message"),
        [
            ([np.inf], [0.1], 0.0, "estimate must be finite"),
            ([0.5], [-0.1], 0.0, "se must be finite and not negative"),
            ([0.5], [np.inf], 0.0, "se must be finite and not negative"),
            ([0.5, 0.5], [0.1], 0.0, "of one length"),
            ([[0.5]], [[0.1]], 0.0, "one-dimensional"),
            ([0.5], [0.1], -1.0, "common_se must be a finite number from 0; got -1.0"),
            ([0.5], [0.1], np.nan, "common_se must be a finite number from 0; got nan"),
        ],
    )
    def test_refuses_impossible_input(self, estimate, error, common_se, message):
        with pytest.raises(ValueError, match=message):
            group_posterior(estimate, error, common_se=common_se)

    def test_a_stricter_prior_believes_less(self):
        strict = replace(PRIOR, all_null=0.9)
        usual, less = (group_posterior([0.54], [0.015], prior=p).p_above[0] for p in (PRIOR, strict))
        assert less < usual - 0.1

    def test_five_hundred_members_take_a_moment(self):
        rng = np.random.default_rng(14)
        estimate = 0.5 + np.where(rng.random(500) < 0.5, 0.06, 0.0) + 0.02 * rng.normal(size=500)
        start = time.perf_counter()
        group_posterior(estimate, np.full(500, np.hypot(0.02, 0.01)), common_se=0.01)
        assert time.perf_counter() - start < 1.0  # 0.05 s on an idle core
