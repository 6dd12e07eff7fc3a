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
    value = np.array([s.score for s in scores])
    se = np.array([s.score_interval.se for s in scores])
    return group_posterior(*_with_evidence(value, se), null=0.5)


def _posterior(side: SideScores, *, null: float) -> GroupPosterior:
    value, se = _with_evidence(side.value, side.se)
    return group_posterior(value, se, common_se=side.common_se, null=null)


def _with_evidence(value: Floats, se: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(value) & np.isfinite(se) & (se > 0)
    return np.where(known, value, np.nan), np.where(known, se, np.nan)
