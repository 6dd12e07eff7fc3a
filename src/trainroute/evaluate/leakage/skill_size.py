"""Features that alone predict a target almost perfectly, or far better than all others: a reason to look, never proof.

A noisy copy of a one-bar label has no shape over time and cannot be told from an honest feature. What can be said is
that one feature carries a skill beyond what is usual, and that no other feature has a third of it.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.metrics import grouped_concordance
from trainroute.panel import Target
from trainroute.records.vocabulary import LeakageStatus, Task

_LOOK_CLOSER_ABOVE = 0.3
_AT_MOST = 5
_RUNNER_UP = 1 / 3


class SkillSize(LeakCheck):
    """SUSPECT above ``leakage.suspect_score``, or above ``leakage.suspect_lone_score`` without a runner-up."""

    name: ClassVar[str] = "skill_size"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per (target, feature) beyond a threshold; looks at the five strongest features."""
        for position, target in enumerate(context.panel.targets):
            strength = context.strength[position]
            if strength.max(initial=0.0) < _LOOK_CLOSER_ABOVE:
                continue
            strongest = np.argsort(-strength, kind="stable")[:_AT_MOST]
            skills = {int(i): _skill(context, target, position, int(i)) for i in strongest}
            yield from self._judge(context, target, skills, strength)

    def _judge(
        self, context: LeakContext, target: Target, skills: dict[int, tuple[float, int]], strength: NDArray[np.float64]
    ) -> Iterator[LeakFinding]:
        settings = context.config.leakage
        ordered = sorted(skills, key=lambda i: -skills[i][0])
        excess = [skills[i][0] - 0.5 for i in ordered] + [0.0, 0.0]
        for place, i in enumerate(ordered):
            skill, rows = skills[i]
            lone = place == 0 and len(strength) > 1 and excess[1] < _RUNNER_UP * excess[0]
            threshold = min(settings.suspect_score, settings.suspect_lone_score) if lone else settings.suspect_score
            if skill > threshold:
                others = f", all others at most {0.5 + excess[1]:.3f}" if lone else ""
                yield LeakFinding(
                    check=self.name,
                    feature=context.panel.features[i],
                    target=target.name,
                    status=LeakageStatus.SUSPECT,
                    statistic=skill,
                    threshold=threshold,
                    rows=rows,
                    detail=f"alone it orders {target.name} with concordance {skill:.3f}{others}",
                )


def _skill(context: LeakContext, target: Target, position: int, feature: int) -> tuple[float, int]:
    """Concordance within symbols of one feature with one target, or its complement, and its rows."""
    values, labels, groups = [], [], []
    for s, sample in enumerate(context.samples):
        known = (sample.labels.known[:, position] > 0) & (sample.features.known[:, feature] > 0)
        values.append(sample.features.value[known, feature])
        labels.append(sample.raw_labels[known, position])
        groups.append(np.full(int(known.sum()), s))
    outcome = np.concatenate(labels).astype(np.float64)
    if target.task is Task.MULTICLASS:
        outcome = (outcome == target.classes[-1]).astype(np.float64)
    result = grouped_concordance(np.concatenate(values), outcome, np.concatenate(groups), len(context.samples))
    pairs = float(result.pairs.sum())
    score = float(np.nansum(result.score * result.pairs)) / pairs if pairs else 0.5
    return round(max(score, 1.0 - score), 6), len(outcome)
