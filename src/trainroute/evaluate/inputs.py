"""What is known of a group of targets before anything is predicted: rows, splits, scales, sums, label columns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.design import LabelColumns, Scale
from trainroute.evaluate.statistics import Moments, Sums, TargetGroup
from trainroute.evaluate.trees import TreeBins
from trainroute.evaluate.walk import TestRows
from trainroute.panel import Panel, Target, WalkForward


@dataclass(frozen=True, kw_only=True)
class GroupInput:
    """A group's sums and what is needed to read them."""

    panel: Panel
    group: TargetGroup
    split: WalkForward
    scale: Scale
    columns: LabelColumns
    sums: Sums
    bins: TreeBins

    @property
    def targets(self) -> tuple[Target, ...]:
        """The group's targets."""
        return tuple(self.panel.targets[i] for i in self.group.targets)

    @property
    def owner(self) -> NDArray[np.intp]:
        """Which of the group's targets each of its label columns belongs to."""
        return np.concatenate([np.full(len(self.columns.of(t)), i) for i, t in enumerate(self.group.targets)])

    @cached_property
    def horizon_steps(self) -> int:
        """Median number of panel timestamps that a label spans."""
        spans_of_labels = []
        for rows in self.panel.rows:
            end = np.searchsorted(self.panel.timestamps, rows.label_end[:, self.group.horizon_index])
            spans_of_labels.append(end - rows.time_index)
        return max(1, int(np.median(np.concatenate(spans_of_labels))))

    @property
    def horizon_bars(self) -> int:
        """The longest horizon of the group's targets, in bars."""
        return max(target.horizon_bars for target in self.targets)

    def all_training(self) -> Moments:
        """Return the moments per symbol of all rows before the holdout."""
        return self.sums.moments(0, len(self.split.boundaries) - 1)

    def outcome(self, rows: TestRows, target: int) -> NDArray[np.float64]:
        """Return the raw labels of the group's target number ``target`` on test rows."""
        column = self.group.targets[target]
        edges = np.searchsorted(rows.symbol, np.arange(rows.n_symbols + 1))
        parts = [
            symbol.targets[rows.position[edges[s] : edges[s + 1]], column] for s, symbol in enumerate(self.panel.rows)
        ]
        return np.concatenate(parts).astype(np.float64)
