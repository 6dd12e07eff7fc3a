"""Features that alone predict a target almost perfectly: a reason to look, never proof."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.metrics import grouped_concordance
from trainroute.panel import Target
from trainroute.records.vocabulary import LeakageStatus, Task

_LOOK_CLOSER_ABOVE = 0.4
_AT_MOST = 5


class SkillSize(LeakCheck):
    """Single-feature concordance above ``leakage.suspect_score`` is SUSPECT for that target."""

    name: ClassVar[str] = "skill_size"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per (target, feature) beyond the threshold; looks at the five strongest features."""
        for position, target in enumerate(context.panel.targets):
            strength = context.strength[position]
            for i in np.argsort(-strength, kind="stable")[:_AT_MOST]:
                if strength[i] < _LOOK_CLOSER_ABOVE:
                    break
                yield from self._look(context, target, position, int(i))

    def _look(self, context: LeakContext, target: Target, position: int, feature: int) -> Iterator[LeakFinding]:
        values, labels, groups = [], [], []
        sampled = context.sampled_rows()
        for s, rows in enumerate(sampled):
            before = context.before_holdout(rows)
            x, y = rows.features[before, feature], context.labels(rows, before)[:, position]
            known = ~(np.isnan(x) | np.isnan(y))
            values.append(x[known])
            labels.append(y[known])
            groups.append(np.full(int(known.sum()), s))
        outcome = np.concatenate(labels).astype(np.float64)
        if target.task is Task.MULTICLASS:
            outcome = (outcome == target.classes[-1]).astype(np.float64)
        result = grouped_concordance(np.concatenate(values), outcome, np.concatenate(groups), len(sampled))
        score = float(np.nansum(result.score * result.pairs) / max(result.pairs.sum(), 1.0))
        skill = round(max(score, 1.0 - score), 6)
        threshold = context.config.leakage.suspect_score
        if result.pairs.sum() > 0 and skill > threshold:
            yield LeakFinding(
                check=self.name,
                feature=context.panel.features[feature],
                target=target.name,
                status=LeakageStatus.SUSPECT,
                statistic=skill,
                threshold=threshold,
                rows=len(outcome),
                detail=f"alone it orders {target.name} with concordance {skill:.3f}",
            )
