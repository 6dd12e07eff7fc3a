"""Features that are a copy of a label whose window is not over: of their own target, or of a sibling.

At time t nobody knows y(t + k) for k > -h: its window ends after t. A feature that orders such a label (`agreement`)
within a quarter of the way from perfect to how it orders the *last completed* label y(t - h), and at least 0.995, is a
copy. An honest feature that measures the past window has its peak at k = -h, not after it.

1. All features against all targets on the latest ``_SCREEN_ROWS`` rows, at up to ``_MAX_LAGS`` lags: what is far from
   a copy there is none.
2. What is left, on all rows of the sample.
3. A label filled forward is a copy only where it changes, so a feature that often stays as it is is looked at on the
   rows where it changes as well.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext, Sample
from trainroute.evaluate.leakage.ranks import Ranked, agreement
from trainroute.records.vocabulary import LeakageStatus

THRESHOLD = 0.995
MIN_ROWS = 200
MIN_CHANGES = 60
_MAX_LAGS = 41
_SCREEN_ROWS = 1500
_SCREEN = 0.9
_NEARER_THAN_COMPLETED = 0.25
_STICKY = 0.2


class NearCopies(LeakCheck):
    """Compares every feature with every target at lags whose label is still open: BLOCKED for all targets."""

    name: ClassVar[str] = "copies"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield one finding per copied feature, for the symbol, target and lag where the copy is closest."""
        best: dict[str, LeakFinding] = {}
        symbols: dict[str, set[str]] = {}
        for sample in context.samples:
            changes, sticky = _where_it_changes(sample)
            for horizon in sorted({t.horizon_bars for t in context.panel.targets}):
                compared = [*self._compare(context, sample, sample.features, horizon, MIN_ROWS)]
                if sticky:
                    compared += self._compare(context, sample, changes, horizon, MIN_CHANGES)
                for found in compared:
                    symbols.setdefault(found.feature, set()).add(sample.symbol)
                    known = best.get(found.feature)
                    if known is None or (found.statistic or 0.0) > (known.statistic or 0.0):
                        best[found.feature] = found
        for feature in sorted(best):
            everywhere = len(symbols[feature]) == len(context.samples)
            named = () if everywhere else tuple(sorted(symbols[feature]))
            yield msgspec.structs.replace(best[feature], symbols=named)

    def _compare(
        self, context: LeakContext, sample: Sample, features: Ranked, horizon: int, min_rows: int
    ) -> Iterator[LeakFinding]:
        targets = context.panel.targets
        same = [i for i, target in enumerate(targets) if target.horizon_bars == horizon]
        labels = sample.labels.columns(same)
        lags = np.unique(np.r_[np.linspace(1 - horizon, horizon, _MAX_LAGS).round().astype(int), 0])
        latest = slice(max(0, len(features.value) - _SCREEN_ROWS), None)
        screened = np.stack(
            [np.abs(agreement(features.rows(latest), labels.rows(latest), lag, MIN_CHANGES // 2)) for lag in lags]
        )
        for i in np.flatnonzero((screened >= _SCREEN).any((0, 2))):
            own = features.columns([int(i)])
            near = np.flatnonzero((screened[:, i] >= _SCREEN).any(1))
            exact = np.stack([np.abs(agreement(own, labels, int(lags[k]), min_rows))[0] for k in near])
            completed = np.abs(agreement(own, labels, -horizon, min_rows))[0]
            copied = (exact >= THRESHOLD) & (1 - exact < _NEARER_THAN_COMPLETED * (1 - completed))
            if not copied.any():
                continue
            k, j = np.unravel_index(np.where(copied, exact, 0.0).argmax(), exact.shape)
            yield LeakFinding(
                check=self.name,
                feature=context.panel.features[i],
                target=None,
                status=LeakageStatus.BLOCKED,
                statistic=round(float(exact[k, j]), 6),
                threshold=THRESHOLD,
                rows=int(own.known.sum()),
                detail=(
                    f"copy of {targets[same[j]].name} {int(lags[near[k]]):+d} bars, whose window is still open "
                    f"({sample.symbol})"
                ),
            )


def _where_it_changes(sample: Sample) -> tuple[Ranked, bool]:
    """Return the features that often stay as they are on the rows where they change, and whether there are any."""
    changed: NDArray[np.bool_] = np.ones(sample.raw_features.shape, np.bool_)
    changed[1:] = sample.raw_features[1:] != sample.raw_features[:-1]
    sticky = (~changed).mean(0) >= _STICKY if len(changed) else np.zeros(changed.shape[1], np.bool_)
    kept = np.where(changed & sticky, sample.raw_features, np.float32(np.nan))
    return (Ranked.of(kept) if sticky.any() else sample.features), bool(sticky.any())
