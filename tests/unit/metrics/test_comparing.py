"""Two sides read each by its own group, and two opinions made one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainroute.metrics import GroupPosterior, group_posterior, opinion_pool, p_exceeds

PROBABILITY = st.floats(0.0, 1.0)


def _side(mean: float, p_none: float, spread: float) -> GroupPosterior:
    one = np.ones(1)
    return GroupPosterior(
        mean=0.5 + one * (1 - p_none) * mean,
        p_above=one,
        p_better=one,
        p_none=one * p_none,
        spread=one * spread,
        group_mean=0.5,
        p_group_above=1.0,
        predictive_mean=0.5,
        predictive_p_above=1.0,
        predictive_p_better=1.0,
    )


SIDES = st.builds(_side, st.floats(-0.2, 0.2), st.floats(0.0, 0.999), st.floats(1e-4, 0.1))


@given(SIDES, SIDES)
def test_one_of_two_sides_is_better(first: GroupPosterior, second: GroupPosterior) -> None:
    assert p_exceeds(first, second) + p_exceeds(second, first) == pytest.approx(1.0)
    assert p_exceeds(first, first) == pytest.approx(0.5)


@pytest.mark.parametrize("parts", [((0.05, 0.3, 0.02), (0.03, 0.6, 0.03)), ((-0.02, 0.9, 0.01), (0.01, 0.0, 0.05))])
def test_the_probability_is_that_of_draws(parts: tuple[tuple[float, float, float], ...]) -> None:
    rng = np.random.default_rng(0)
    drawn = [np.where(rng.random(400_000) < none, 0.0, rng.normal(mean, sd, 400_000)) for mean, none, sd in parts]
    expected = (drawn[0] > drawn[1]).mean() + (drawn[0] == drawn[1]).mean() / 2
    assert p_exceeds(_side(*parts[0]), _side(*parts[1]))[0] == pytest.approx(expected, abs=0.004)


@given(PROBABILITY, PROBABILITY)
def test_a_pooled_opinion_lies_between_both(first: float, second: float) -> None:
    a, b = np.array([first]), np.array([second])
    pooled = opinion_pool(a, b)[0]
    assert min(first, second) - 2e-6 <= pooled <= max(first, second) + 2e-6
    assert opinion_pool(b, a)[0] == pytest.approx(pooled)
    assert opinion_pool(a, np.array([np.nan]))[0] == pytest.approx(first, abs=2e-6)


def test_without_an_opinion_there_is_none() -> None:
    assert np.isnan(opinion_pool(np.array([np.nan]), np.array([np.nan]))).all()


def test_spread_and_share_of_nothing_agree_with_the_other_numbers() -> None:
    rng = np.random.default_rng(1)
    effect = np.where(np.arange(60) < 30, 0.0, 0.08)
    found = group_posterior(0.5 + effect + 0.02 * rng.normal(size=60), np.full(60, 0.02))
    np.testing.assert_allclose(found.p_better, found.p_above + found.p_none / 2)
    sure = found.p_none < 0.01
    assert sure.sum() > 15
    assert ((found.spread[sure] > 0.003) & (found.spread[sure] < 0.025)).all()
    assert found.p_none[:30].mean() > 0.7


def test_a_member_without_evidence_has_no_spread() -> None:
    found = group_posterior([0.5, np.nan, 0.55], [0.02, np.nan, 0.02])
    assert np.isnan(found.spread).tolist() == [False, True, False]
    assert np.isnan(p_exceeds(found, found)).tolist() == [False, True, False]
