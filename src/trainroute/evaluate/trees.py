"""Tree probes: small LightGBM models on data that are binned once.

1. Bin edges come from rows before the first test block, once for the panel (`TreeBins`).
2. Training rows are thinned in time: labels overlap by their horizon of h bars, so every max(1, h // 4)-th row of a
   symbol keeps nearly all that they tell. A pooled model trains on at most ``MAX_POOLED_ROWS`` of those, drawn at
   random once and for all, so that the rows of one fold are mostly those of the next.
3. A fold's model sees rows whose labels have ended before the fold (`WalkForward.usable_from`), as ridge does. The
   binned rows are cut out once and the labels of the targets swapped in.
4. Every label column is fitted by least squares, centred within symbols: only the order within a symbol is scored.
5. Every split may use every feature that passed: a product of two features shows only where a tree may use both.

References
----------
Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.
Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006: thresholds drawn at random, which on
weak signals is both faster and better than the best one found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.statistics import Floats
from trainroute.panel import Panel

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

MAX_POOLED_ROWS = 60_000
_REFERENCE_ROWS = 50_000
_ROWS_PER_WINDOW = 4
_LABEL_CLIP = 3.0
_FIXED = {
    "objective": "regression",
    "learning_rate": 0.15,
    "extra_trees": True,
    "seed": 0,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
    "max_bin": 63,
    "feature_pre_filter": False,
}


@dataclass(frozen=True, kw_only=True)
class TreeSize:
    """How much one probe may learn; ``windows_in_leaf`` counts label windows, so that overlap buys no leaf."""

    rounds: int
    leaves: int
    windows_in_leaf: int
    leaf_share: float


POOLED_SIZE = TreeSize(rounds=40, leaves=15, windows_in_leaf=20, leaf_share=0.005)
LOCAL_SIZE = TreeSize(rounds=30, leaves=4, windows_in_leaf=5, leaf_share=0.02)


class TreeBins:
    """The bin edges of a panel's features, found when they are first needed.

    Parameters
    ----------
    panel : Panel
    before : int
        Timestamp (µs) of the first test block; only earlier rows are looked at.
    """

    def __init__(self, panel: Panel, before: int) -> None:
        self._panel = panel
        self._before = before

    @cached_property
    def _reference(self) -> "Dataset":
        from lightgbm import Dataset  # noqa: PLC0415 - heavy library

        cut = int(np.searchsorted(self._panel.timestamps, self._before))
        parts = [rows.features[: np.searchsorted(rows.time_index, cut)] for rows in self._panel.rows]
        stride = max(1, sum(map(len, parts)) // _REFERENCE_ROWS)
        return Dataset(np.concatenate([part[::stride] for part in parts]), params=_FIXED).construct()

    def binned(self, features: NDArray[np.float32]) -> "Dataset":
        """Return rows of features in the bins of the reference."""
        from lightgbm import Dataset  # noqa: PLC0415 - heavy library

        return Dataset(features, reference=self._reference, params=_FIXED).construct()


@dataclass(frozen=True, kw_only=True)
class TreeRows:
    """Rows that trees train on.

    Attributes
    ----------
    dataset : Dataset
        Their features, binned.
    labels : ndarray of shape (n_rows, n_columns), float32
    symbol : ndarray of shape (n_rows,), int64
    usable_from : ndarray of shape (n_rows,)
        The first block that each row may train for.
    rows_per_window : int
        Rows of a symbol within one label window, after thinning.
    """

    dataset: "Dataset"
    labels: NDArray[np.float32]
    symbol: NDArray[np.int64]
    usable_from: NDArray[np.int16]
    rows_per_window: int

    def fit(
        self, kept: NDArray[np.intp], columns: Sequence[int], features: NDArray[np.bool_], size: TreeSize
    ) -> Iterator[tuple[int, "Booster"]]:
        """Train one model per label column on the rows ``kept``, ascending.

        Parameters
        ----------
        features : ndarray of shape (n_columns, n_features), bool
            What each label column's model may split on.
        """
        from lightgbm import Booster  # noqa: PLC0415 - heavy library

        least = max(size.windows_in_leaf * self.rows_per_window, int(size.leaf_share * len(kept)))
        parameters = {**_FIXED, "num_leaves": size.leaves, "min_data_in_leaf": least}
        rows = self.dataset.subset(kept.tolist(), params=parameters).construct()
        for column in columns:
            rows.set_label(_centred(self.labels[kept, column], self.symbol[kept]))
            booster = Booster({**parameters, **_only(features[column])}, rows)
            for _ in range(size.rounds):
                if booster.update():
                    break
            yield column, booster


def thinning(horizon_bars: int) -> int:
    """Every which row of a symbol trains."""
    return max(1, horizon_bars // _ROWS_PER_WINDOW)


def clipped(labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bound the labels of regression targets, robust z-scores; indicators stay as they are."""
    return np.clip(labels, -_LABEL_CLIP, _LABEL_CLIP)


def drawn(priority: Floats, candidates: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the ``MAX_POOLED_ROWS`` candidates of least priority number, ascending."""
    if len(candidates) <= MAX_POOLED_ROWS:
        return candidates
    least = np.argpartition(priority[candidates], MAX_POOLED_ROWS)[:MAX_POOLED_ROWS]
    return np.sort(candidates[least])


def predicted(booster: "Booster", features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predict rows of features, shape (n_rows,)."""
    return np.asarray(booster.predict(features, num_threads=1), np.float32)


def _centred(label: NDArray[np.float32], symbol: NDArray[np.int64]) -> Floats:
    count = np.maximum(np.bincount(symbol), 1)
    return label - (np.bincount(symbol, label) / count)[symbol]


def _only(features: NDArray[np.bool_]) -> dict[str, Any]:
    """Forbid splits on other features; LightGBM uses none that stands in no constraint."""
    return {} if features.all() else {"interaction_constraints": [np.flatnonzero(features).tolist()]}
