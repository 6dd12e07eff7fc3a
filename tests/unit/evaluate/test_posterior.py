"""A pooled model that serves a part of the symbols is seen to, and local models are read by a prior of their own."""

import numpy as np
from scipy.stats import norm

from trainroute.evaluate.learning import Learning, TrainingShare
from trainroute.evaluate.posterior import TargetPosteriors, target_posteriors
from trainroute.evaluate.scoring import SideScores, TargetScores
from trainroute.metrics import Interval

N, SE = 40, 0.028
DRAWN = norm.ppf((np.arange(N // 2) + 0.5) / (N // 2)) * SE
TWO_GROUPS = np.concatenate([0.50 + DRAWN, 0.57 + DRAWN])
"""Half of the symbols without skill, half with some, each measured with an error of 0.028."""


def _side(value: np.ndarray, se: float = SE) -> SideScores:
    return SideScores(
        value=value, se=np.full(N, se), totals=np.ones((N, 60)), degrees=np.full(N, np.inf), common_se=0.0
    )


def _share(k: int, final: float = 4.0) -> TrainingShare:
    return TrainingShare(folds=np.full((k, 8), 4.0), tested=np.full((k, 8), 1 / 8), final=np.full(k, final))


def _found(pooled: np.ndarray, local: np.ndarray, difference_se: float = SE, final: float = 4.0) -> TargetPosteriors:
    interval = Interval(low=0.52, high=0.55, se=0.005, n_blocks=60)
    scores = TargetScores(
        pooled=_side(pooled),
        local=_side(local),
        difference=_side(local - pooled, difference_se),
        local_intervals=(interval,) * N,
        weight=np.ones(N),
        score=float(pooled.mean()),
        score_interval=interval,
        score_degrees=np.inf,
        within_date=0.5,
    )
    return target_posteriors(scores, Learning(pooled=_share(1), local=_share(N, final)), n_features=10.0)


def _p_above(pooled: np.ndarray) -> np.ndarray:
    return _found(pooled, np.full(N, 0.5)).pooled.p_above


def test_symbols_that_a_pool_does_not_serve_are_told_from_those_that_it_does() -> None:
    p = _p_above(TWO_GROUPS)
    without, with_skill = p[: N // 2] < 0.4, p[N // 2 :] < 0.4
    assert without.sum() >= 12
    assert with_skill.sum() <= 2


def test_a_pool_that_serves_all_alike_keeps_all() -> None:
    assert (_p_above(np.concatenate([0.55 + DRAWN, 0.55 - DRAWN])) > 0.9).all()


def test_a_side_that_is_alike_for_all_does_not_hide_where_the_other_is_better() -> None:
    rng = np.random.default_rng(0)
    right, alone = [], []
    for _ in range(8):
        pooled, local = TWO_GROUPS + 0.0, 0.54 + rng.permutation(np.concatenate([DRAWN, DRAWN]))
        found = _found(pooled, local, difference_se=SE * np.sqrt(2))
        better = np.arange(N) < N // 2
        right.append(((found.difference.p_better > 0.5) == better).mean())
        alone.append(((local - pooled > 0.005) == better).mean())
    assert np.mean(right) > np.mean(alone) + 0.05


def test_paired_differences_count_where_both_sides_err_together() -> None:
    own = np.concatenate([DRAWN, DRAWN])
    found = _found(0.54 + own, 0.55 + own, difference_se=0.004)
    assert (found.difference.p_better > 0.9).all()


def test_doubt_about_skill_grows_with_the_skill() -> None:
    local = 0.55 + np.concatenate([DRAWN, DRAWN])
    now, later = (_found(np.full(N, 0.5), local, final=final).local for final in (4.0, 12.0))
    grown = (later.mean - 0.5) / (now.mean - 0.5)
    assert (grown > 1.05).all()
    np.testing.assert_allclose(later.spread / now.spread, grown)
