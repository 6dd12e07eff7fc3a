"""Which rows a job trains on, stops by and is scored on.

1. A row may train if its label is known and ended, with the embargo, before the holdout begins (`WalkForward`).
2. The last block before the holdout is validation; a row trains beside it if its label ended before that block.
3. Where too few rows lie before that block (a new symbol), all these rows train and none validates.
4. The holdout's labelled rows of the symbols that the model serves are for the final score only.
5. A family that reads history gets the rows between them too, without labels; never rows of another part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import TrainingError
from trainroute.families import Rows, Siblings, TrainingRows
from trainroute.panel import Target
from trainroute.records.plan import TrainingJob
from trainroute.records.results import TrainingWindow
from trainroute.records.selectors import served_symbols
from trainroute.records.vocabulary import Task
from trainroute.train.store import PanelStore

Index = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class JobRows:
    """The rows of one job, as row numbers of the store."""

    train: Index
    validation: Index
    holdout: Index
    purged: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a family reads of a row: features, the labels of its target and siblings, and whether the rows before it."""

    features: tuple[str, ...]
    target: Target
    siblings: tuple[Target, ...] = ()
    history: bool = False


def training_symbols(job: TrainingJob) -> tuple[str, ...]:
    """Return the symbols whose rows a job trains on."""
    if job.symbol is not None:
        return (job.symbol,)
    return job.metadata.training_symbols


def job_rows(store: PanelStore, job: TrainingJob, *, min_rows: int) -> JobRows:
    """Choose the rows of a job; ``min_rows`` is what its family needs to train."""
    target = store.target_number[job.target]
    horizon = store.index.targets[target].horizon_index
    last = store.split.n_blocks
    train, validation, purged = [], [], 0
    for symbol in sorted(training_symbols(job)):
        own, labelled, block = _labelled(store, symbol, target)
        usable = store.split.usable_from(store.label_end[own, horizon][labelled])
        row = own.start + labelled
        train.append(row[usable < last])
        validation.append(row[(usable == last) & (block == last - 1)])
        purged += int(np.count_nonzero(block < last)) - len(train[-1]) - len(validation[-1])
    rows, later = _joined(train), _joined(validation)
    if len(rows) < min_rows:
        rows, later = np.sort(np.concatenate([rows, later])), later[:0]
    return JobRows(train=rows, validation=later, holdout=_holdout(store, job, target), purged=purged)


def _holdout(store: PanelStore, job: TrainingJob, target: int) -> Index:
    parts = []
    for symbol in sorted(served_symbols(job)):
        own, labelled, block = _labelled(store, symbol, target)
        parts.append(own.start + labelled[block == store.split.n_blocks])
    return _joined(parts)


def _labelled(store: PanelStore, symbol: str, target: int) -> tuple[slice, Index, NDArray[np.int16]]:
    """Return a symbol's rows, those of them that have a label, and the block of each of these."""
    rows = store.rows_of(symbol)
    labelled = np.flatnonzero(~np.isnan(store.targets[rows, target]))
    return rows, labelled, store.split.block_of(store.timestamps[store.time_index[rows][labelled]])


def _joined(parts: list[Index]) -> Index:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def symbol_of(store: PanelStore, rows: Index) -> NDArray[np.int32]:
    """Return the number of the symbol that each row belongs to."""
    return np.searchsorted(store.index.offsets, rows, side="right").astype(np.int32) - np.int32(1)


def take_features(store: PanelStore, rows: Index, features: tuple[str, ...]) -> Rows:
    """Copy the features of some rows, in the order of ``features``."""
    columns = np.array([store.feature_number[feature] for feature in features], dtype=np.intp)
    return Rows(
        features=np.asarray(store.features[rows[:, None], columns]),
        symbol=symbol_of(store, rows),
        time=np.asarray(store.time_index[rows]),
        feature_names=features,
    )


def take_labels(store: PanelStore, rows: Index, target: Target) -> NDArray[np.float32]:
    """Copy the labels of some rows: values, or the numbers of classes.

    Raises
    ------
    TrainingError
        If a label is none of the target's classes.
    """
    labels = np.asarray(store.targets[rows, store.target_number[target.name]])
    if target.task is Task.REGRESSION:
        return labels
    classes = np.array(target.classes, dtype=np.float32)
    codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    if not np.array_equal(classes[codes], labels):
        stray = labels[classes[codes] != labels][0]
        raise TrainingError(f"target {target.name!r} holds {stray:g}; expected one of {list(target.classes)}")
    return codes.astype(np.float32)


def with_history(store: PanelStore, rows: Index, *, first_block: int) -> Index:
    """Return, for each symbol in ``rows``, all its rows from the start of a block to its last one in ``rows``."""
    start = store.split.boundaries[first_block]
    numbers, places = np.unique(symbol_of(store, rows)[::-1], return_index=True)
    parts = []
    for number, last in zip(numbers, rows[len(rows) - 1 - places], strict=True):
        own = store.rows_of(store.index.symbols[number])
        first = own.start + np.searchsorted(store.timestamps[store.time_index[own]], start)
        parts.append(np.arange(first, last + 1, dtype=np.intp))
    return _joined(parts)


def take_training_rows(
    store: PanelStore, rows: Index, wanted: Wanted, *, first_block: int, ends_before: int
) -> TrainingRows:
    """Copy what a family learns from some rows.

    Parameters
    ----------
    store : PanelStore
    rows : ndarray of int
        The rows whose label may be learnt, ascending.
    wanted : Wanted
    first_block : int
        The first block that these rows may lie in; history does not reach before it.
    ends_before : int
        Labels of siblings must have ended before this block.
    """
    given = with_history(store, rows, first_block=first_block) if wanted.history else rows
    taken = take_features(store, given, wanted.features)
    labels = np.full(len(given), np.nan, dtype=np.float32)
    labels[np.searchsorted(given, rows)] = take_labels(store, rows, wanted.target)
    return TrainingRows(
        features=taken.features,
        symbol=taken.symbol,
        time=taken.time,
        feature_names=taken.feature_names,
        labels=labels,
        usable_from=_usable_from(store, given, wanted.target),
        siblings=_siblings(store, given, wanted.siblings, ends_before) if wanted.siblings else None,
    )


def _usable_from(store: PanelStore, rows: Index, target: Target) -> NDArray[np.int32]:
    end = store.label_end[rows, target.horizon_index] + store.split.embargo_us
    return np.asarray(np.searchsorted(store.timestamps, end, side="right"), dtype=np.int32)


def _siblings(store: PanelStore, rows: Index, targets: tuple[Target, ...], ends_before: int) -> Siblings:
    labels = np.full((len(rows), len(targets)), np.nan, dtype=np.float32)
    for column, target in enumerate(targets):
        known = ~np.isnan(store.targets[rows, store.target_number[target.name]])
        known &= store.split.usable_from(store.label_end[rows, target.horizon_index]) <= ends_before
        labels[known, column] = take_labels(store, rows[known], target)
    return Siblings(
        names=tuple(target.name for target in targets), tasks=tuple(target.task for target in targets), labels=labels
    )


def window(store: PanelStore, rows: JobRows, target: Target) -> TrainingWindow:
    """Describe the rows that a model has seen."""
    seen = np.concatenate([rows.train, rows.validation])
    time = store.timestamps[store.time_index[seen]]
    return TrainingWindow(
        first=int(time.min()),
        last=int(time.max()),
        last_label_end=int(store.label_end[seen, target.horizon_index].max()),
        rows=len(seen),
        validation_rows=len(rows.validation),
        purged_rows=rows.purged,
    )
