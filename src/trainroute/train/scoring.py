"""The score of a fitted model on the final holdout.

Pairs of rows are formed only within one symbol. The score of a pooled model is the mean over the symbols that it
serves, weighted by their effective pairs (pairs per row), as everywhere.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ModelError
from trainroute.families import FittedModel
from trainroute.metrics import GroupedConcordance, grouped_concordance, multiclass_concordance
from trainroute.panel import Target
from trainroute.records.results import HoldoutScores, SymbolScore
from trainroute.records.vocabulary import Task
from trainroute.train.rows import Index, Wanted, symbol_of, take_features, take_labels, with_history
from trainroute.train.store import PanelStore


def score_holdout(store: PanelStore, model: FittedModel, wanted: Wanted, rows: Index, *, threads: int) -> HoldoutScores:
    """Score a model on holdout rows.

    Raises
    ------
    ModelError
        If the model predicts NaN or infinity.
    """
    start = int(store.split.boundaries[-1])
    if not len(rows):
        return HoldoutScores(start=start, rows=0, score=None, symbols={})
    prediction = _predicted(store, model, wanted, rows, threads=threads)
    if not np.isfinite(prediction).all():
        bad = int(np.count_nonzero(~np.isfinite(prediction).reshape(len(rows), -1).all(axis=1)))
        raise ModelError(
            f"the fitted model predicts NaN or infinity on {bad} of {len(rows)} holdout rows; bring the family's "
            "hyperparameters nearer to their defaults"
        )
    numbers, group = np.unique(symbol_of(store, rows), return_inverse=True)
    result = _measured(wanted.target, prediction, take_labels(store, rows, wanted.target), group, len(numbers))
    symbols = {
        store.index.symbols[number]: SymbolScore(score=_known(score), pairs=float(pairs), rows=int(n_rows))
        for number, score, pairs, n_rows in zip(numbers, result.score, result.pairs, result.rows, strict=True)
    }
    return HoldoutScores(start=start, rows=len(rows), score=_pooled(result), symbols=symbols)


def _predicted(
    store: PanelStore, model: FittedModel, wanted: Wanted, rows: Index, *, threads: int
) -> NDArray[np.float64]:
    if not wanted.history:
        return model.predict(take_features(store, rows, wanted.features), threads=threads)
    given = with_history(store, rows, first_block=store.split.n_blocks)
    prediction = model.predict(take_features(store, given, wanted.features), threads=threads)
    return np.asarray(prediction[np.searchsorted(given, rows)])


def _measured(
    target: Target,
    prediction: NDArray[np.float64],
    labels: NDArray[np.float32],
    group: NDArray[np.intp],
    n_groups: int,
) -> GroupedConcordance:
    if target.task is Task.MULTICLASS:
        return multiclass_concordance(prediction, labels, np.arange(len(target.classes)), group, n_groups)
    return grouped_concordance(prediction, labels, group, n_groups)


def _pooled(result: GroupedConcordance) -> float | None:
    weight = result.pairs / np.maximum(result.rows, 1)
    if not weight.any():
        return None
    return float(np.average(np.nan_to_num(result.score), weights=weight))


def _known(score: float) -> float | None:
    return None if math.isnan(score) else float(score)
