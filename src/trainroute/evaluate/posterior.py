"""From scores to probabilities: every score is shrunk over the symbols, or targets, that it was found among.

1. Pooled and local scores are shrunk over the symbols of the target (`metrics.group_posterior`). Symbols with skill
   are expected to have much the same, local models to work on all symbols sooner than on some, and the pooled one to
   work on some, without skill on the others, sooner than on all.
2. Expected skill grows by what the final model learns from rows that the models of the folds had not (`learning`).
3. The difference between the sides is moved by what each is expected to grow, then shrunk by itself: its prior knows
   groups in which no member is at exactly nothing. Where one side is much the same for all symbols this wastes what is
   known of it, so that which side is better is also read from both sides as they were shrunk; where the two err
   together, that knows less than their difference. The odds of the two readings are averaged (`opinion_pool`).
"""

from dataclasses import dataclass, replace

import numpy as np

from trainroute.evaluate.learning import Learning, growth
from trainroute.evaluate.scoring import SideScores, TargetScores
from trainroute.evaluate.statistics import Floats
from trainroute.metrics import GroupPosterior, GroupPrior, group_posterior, opinion_pool, p_exceeds

NO_SKILL = 0.5
_ALIKE = (4.0, 4.0, 2.0, 0.5, 0.1, 0.1)
_SKILL = GroupPrior(spread_weights=_ALIKE)
_POOLED_SKILL = GroupPrior(
    null_shares=(0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 0.97),
    null_share_weights=(1.5, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0),
    spread_weights=_ALIKE,
)
_DIFFERENCE = GroupPrior(two_effects=0.4)


@dataclass(frozen=True, kw_only=True)
class TargetPosteriors:
    """Posteriors over the symbols of one target; arrays of shape (n_symbols,).

    Attributes
    ----------
    pooled, local : GroupPosterior
        Of the scores that the final models are expected to have.
    difference : GroupPosterior
        Of local less pooled, likewise; its ``p_better`` takes both sides into account.
    pooled_growth : float
        Factor by which the skill of the pooled model is expected to grow.
    """

    pooled: GroupPosterior
    local: GroupPosterior
    difference: GroupPosterior
    pooled_growth: float

    def predictability(self, weight: Floats) -> float:
        """Mean over symbols, by weight, of the better side's posterior mean: what the target is ranked by."""
        better = np.fmax(self.pooled.mean, self.local.mean)
        return float(np.average(better, weights=weight)) if weight.sum() > 0 else float("nan")


def target_posteriors(scores: TargetScores, learning: Learning, n_features: float) -> TargetPosteriors:
    """Shrink a target's scores over its symbols.

    Parameters
    ----------
    n_features : float
        Effective number of features that the target's models use (`learning.effective_features`).
    """
    pooled = _posterior(scores.pooled.value, scores.pooled, prior=_POOLED_SKILL)
    local = _posterior(scores.local.value, scores.local)
    overall = np.array([pooled.group_mean - NO_SKILL])
    pooled_growth = growth(overall, np.array([scores.score_interval.se]), learning.pooled, n_features)
    local_growth = growth(local.mean - NO_SKILL, scores.local.se, learning.local, n_features)
    gain = (local_growth - 1) * (local.mean - NO_SKILL) - (pooled_growth - 1) * (pooled.mean - NO_SKILL)
    gap = scores.difference
    difference = _posterior(gap.value + gain, gap, prior=_DIFFERENCE, null=0.0)
    pooled, local = _grown(pooled, pooled_growth), _grown(local, local_growth)
    better = opinion_pool(difference.p_better, p_exceeds(local, pooled, null=NO_SKILL))
    return TargetPosteriors(
        pooled=pooled,
        local=local,
        difference=replace(difference, p_better=better),
        pooled_growth=float(pooled_growth[0]),
    )


def pooled_posterior(scores: list[TargetScores]) -> GroupPosterior:
    """Shrink the pooled scores over all targets considered, so that the luckiest of a hundred does not pass by luck."""
    return group_posterior(
        np.array([s.score if s.pooled_measured else np.nan for s in scores]),
        np.array([s.score_interval.se if s.pooled_measured else np.nan for s in scores]),
        degrees=np.array([s.score_degrees for s in scores]),
        null=NO_SKILL,
    )


def grown(mean: Floats | float, factor: Floats | float) -> Floats:
    """Return a score whose skill has grown by a factor."""
    return np.asarray(NO_SKILL + factor * (np.asarray(mean) - NO_SKILL), dtype=np.float64)


def _grown(found: GroupPosterior, factor: Floats) -> GroupPosterior:
    return replace(found, mean=grown(found.mean, factor), spread=factor * found.spread)


def _posterior(
    value: Floats, side: SideScores, *, prior: GroupPrior = _SKILL, null: float = NO_SKILL
) -> GroupPosterior:
    return group_posterior(
        np.where(side.measured, value, np.nan),
        np.where(side.measured, side.se, np.nan),
        common_se=side.common_se,
        degrees=side.degrees,
        null=null,
        prior=prior,
    )
