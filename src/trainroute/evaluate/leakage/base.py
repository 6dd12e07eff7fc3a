"""What a leak check is: it reads the rows before the holdout and returns findings with their evidence."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.ranks import Ranked
from trainroute.panel import Panel, SymbolRows, WalkForward

MAX_SYMBOLS = 40
MAX_ROWS = 6000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The latest rows of a symbol before the holdout, at most ``MAX_ROWS``, in ranks.

    Attributes
    ----------
    raw_features, raw_labels : ndarray of shape (n_rows, n_features) and (n_rows, n_targets), float32
        As they are; labels that reach into the holdout are NaN.
    time_index : ndarray of shape (n_rows,), int32
    """

    symbol: str
    time_index: NDArray[np.int32]
    raw_features: NDArray[np.float32]
    raw_labels: NDArray[np.float32]
    features: Ranked
    labels: Ranked


@dataclass(frozen=True, kw_only=True)
class LeakContext:
    """What the checks may look at.

    Attributes
    ----------
    strength : ndarray of shape (n_targets, n_features)
        Largest absolute within-symbol correlation on the training rows.
    """

    panel: Panel
    split: WalkForward
    config: Config
    data_dir: Path
    strength: NDArray[np.float64]

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The sampled symbols in ranks, for all checks that read them."""
        found = []
        for rows in self.sampled_rows():
            end = self.before_holdout(rows).stop
            part = slice(max(0, end - MAX_ROWS), end)
            labels = self.labels(rows, part)
            found.append(
                Sample(
                    symbol=rows.symbol,
                    time_index=rows.time_index[part],
                    raw_features=rows.features[part],
                    raw_labels=labels,
                    features=Ranked.of(rows.features[part]),
                    labels=Ranked.of(labels),
                )
            )
        return tuple(found)

    def sampled_rows(self) -> tuple[SymbolRows, ...]:
        """At most ``MAX_SYMBOLS`` symbols, evenly spaced through the sorted list."""
        n = len(self.panel.rows)
        chosen = np.unique(np.linspace(0, n - 1, min(n, MAX_SYMBOLS)).round().astype(int))
        return tuple(self.panel.rows[i] for i in chosen)

    def labels(self, rows: SymbolRows, part: slice) -> NDArray[np.float32]:
        """Return the labels of some rows; NaN where the label's window reaches into the holdout."""
        last = len(self.split.boundaries) - 1
        reaches = self.split.usable_from(rows.label_end[part]) > last
        horizon = [target.horizon_index for target in self.panel.targets]
        return np.where(reaches[:, horizon], np.float32(np.nan), rows.targets[part])

    def before_holdout(self, rows: SymbolRows) -> slice:
        """Return the rows of a symbol that lie before the holdout."""
        cut = int(np.searchsorted(self.panel.timestamps, self.split.boundaries[-1]))
        return slice(0, int(np.searchsorted(rows.time_index, cut)))


class LeakCheck(ABC):
    """One way to catch a leak. Define a concrete subclass in a new file of this package; nothing else is edited."""

    name: ClassVar[str]

    @abstractmethod
    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per suspicious feature, and target where it concerns only one."""
