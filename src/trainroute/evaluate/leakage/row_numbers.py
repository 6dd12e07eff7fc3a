"""Features that only number the rows: timestamps, counters, ids given in order of time."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.records.vocabulary import LeakageStatus

THRESHOLD = 0.9999
_MIN_ROWS = 100


class RowNumbers(LeakCheck):
    """SUSPECT where the order of a feature's values is the order of time in every sampled symbol.

    Such a feature says where in the sample a row stands. It orders every label that drifts, on the rows that it has
    seen; later rows all lie beyond them.
    """

    name: ClassVar[str] = "row_numbers"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per such feature."""
        weakest = np.full(len(context.panel.features), np.inf)
        n_rows = 0
        for sample in context.samples:
            if len(sample.time_index) < _MIN_ROWS:
                continue
            n_rows += len(sample.time_index)
            ranks = sample.features.unit().astype(np.float64)
            order = np.linspace(-np.sqrt(3), np.sqrt(3), len(ranks))
            complete = sample.features.known.mean(0) == 1.0
            weakest = np.minimum(weakest, np.where(complete, np.abs(order @ ranks) / len(ranks), 0.0))
        for i in np.flatnonzero(np.isfinite(weakest) & (weakest >= THRESHOLD)):
            yield LeakFinding(
                check=self.name,
                feature=context.panel.features[i],
                target=None,
                status=LeakageStatus.SUSPECT,
                statistic=round(float(min(weakest[i], 1.0)), 6),
                threshold=THRESHOLD,
                rows=n_rows,
                detail="its values only number the rows in order of time",
            )
