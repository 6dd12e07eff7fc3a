"""New rows as a model sees them.

A row's time is its position among the timestamps of the plan's symbols in the data, as in training, so that a gap is
one where it was one there. A family that reads history gets every row of the symbol from the start of the holdout on,
or, for rows before it, every row before it: what is predicted for a row does not depend on which rows are asked for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainroute.families import FittedModel, Rows
from trainroute.panel.reading import SymbolFrame
from trainroute.records.results import ModelManifest


@dataclass(frozen=True, kw_only=True)
class AskedRows:
    """The rows of one symbol, and from which time on they are asked for.

    Attributes
    ----------
    frame : SymbolFrame
    names : tuple of str
        The columns of ``frame.features``.
    timeline : ndarray of shape (n_times,), int64, or None
        All timestamps of the plan's symbols (µs UTC), ascending; None where no model reads history.
    since : int
        Rows from this time on are asked for (µs UTC).
    """

    frame: SymbolFrame
    names: tuple[str, ...]
    timeline: NDArray[np.int64] | None
    since: int

    def __len__(self) -> int:
        return len(self.frame.time) - self.first

    @cached_property
    def first(self) -> int:
        """Number of the first row that is asked for."""
        return int(np.searchsorted(self.frame.time, self.since))

    @property
    def time(self) -> NDArray[np.int64]:
        """Times of the rows asked for (µs UTC)."""
        return self.frame.time[self.first :]

    @cached_property
    def _position(self) -> NDArray[np.int32]:
        time = self.frame.time
        every = time if self.timeline is None else np.union1d(self.timeline, time)
        return np.searchsorted(every, time).astype(np.int32)

    def predicted(
        self, model: FittedModel, manifest: ModelManifest, *, history: bool, threads: int
    ) -> NDArray[np.float64]:
        """Return what a model predicts for the rows asked for, shape (n_asked,) or (n_asked, n_classes)."""
        last = len(self.frame.time)
        if not history:
            return model.predict(self._taken(self.first, last, manifest), threads=threads)
        start = int(np.searchsorted(self.frame.time, manifest.holdout.start))
        parts = []
        for begin, end in ((0, start), (start, last)):
            if self.first < end and begin < end:
                found = model.predict(self._taken(begin, end, manifest), threads=threads)
                parts.append(found[max(self.first - begin, 0) :])
        return np.concatenate(parts)

    def _taken(self, begin: int, end: int, manifest: ModelManifest) -> Rows:
        columns = [self.names.index(name) for name in manifest.features]
        return Rows(
            features=np.ascontiguousarray(self.frame.features[begin:end, columns]),
            symbol=np.zeros(end - begin, dtype=np.int32),
            time=self._position[begin:end],
            feature_names=manifest.features,
        )
