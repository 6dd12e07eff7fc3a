"""From scores to probabilities: every score is shrunk over the symbols, or targets, that it was found among."""

from dataclasses import dataclass

import numpy as np

from trainroute.evaluate.scoring import SideScores, TargetScores
from trainroute.evaluate.statistics import Floats
from trainroute.metrics import GroupPosterior, group_posterior


@dataclass(frozen=True, kw_only=True)
class TargetPosteriors:
    """Posteriors over the symbols of one target; arrays of shape (n_symbols,)."""

    pooled: GroupPosterior
    local: GroupPosterior
    difference: GroupPosterior

    def predictability(self, weight: Floats) -> float:
        """Mean over symbols, by weight, of the better side's posterior mean: what the target is ranked by."""
        better = np.fmax(self.pooled.mean, self.local.mean)
        return float(np.average(better, weights=weight)) if weight.sum() > 0 else float("nan")


def target_posteriors(scores: TargetScores) -> TargetPosteriors:
    """Shrink a target's scores over its symbols."""
    return TargetPosteriors(
        pooled=_posterior(scores.pooled, null=0.5),
        local=_posterior(scores.local, null=0.5),
        difference=_posterior(scores.difference, null=0.0),
    )


def pooled_posterior(scores: list[TargetScores]) -> GroupPosterior:
    """Shrink the pooled scores over all targets considered, so that the luckiest of a hundred does not pass by luck."""
    return group_posterior(
        np.array([s.score if s.pooled_measured else np.nan for s in scores]),
        np.array([s.score_interval.se if s.pooled_measured else np.nan for s in scores]),
        degrees=np.array([s.score_degrees for s in scores]),
        null=0.5,
    )


def _posterior(side: SideScores, *, null: float) -> GroupPosterior:
    return group_posterior(
        np.where(side.measured, side.value, np.nan),
        np.where(side.measured, side.se, np.nan),
        common_se=side.common_se,
        degrees=side.degrees,
        null=null,
    )
