"""Rows with a planted signal, and fits that are shared between tests."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from trainroute.families import Family, FitContext, FittedModel, TrainingRows
from trainroute.records.vocabulary import Task

_PERSISTENCE, _REACH, _BEFORE = 0.95, 8, 300
N_CLASSES = {Task.BINARY: 2, Task.MULTICLASS: 3, Task.REGRESSION: 0}
SIGNAL = 0.75
"""Strength of the signal: the best possible prediction then has a concordance of about 0.70."""


def _rows(task: Task, n_rows: int, *, seed: int, signal: float = SIGNAL, missing: float = 0.0) -> TrainingRows:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, 5)).astype(np.float32)
    latent = signal * (features[:, 0] + features[:, 1]) / np.sqrt(2.0) + rng.normal(size=n_rows)
    labels = {Task.BINARY: latent > 0, Task.MULTICLASS: np.digitize(latent, [-0.5, 0.5]), Task.REGRESSION: latent}[task]
    features[rng.random(features.shape) < missing] = np.nan
    half = n_rows // 2
    time = np.concatenate([np.arange(half), np.arange(n_rows - half)]).astype(np.int32)
    return TrainingRows(
        features=features,
        labels=labels.astype(np.float32),
        symbol=np.repeat(np.array([0, 1], dtype=np.int32), [half, n_rows - half]),
        time=time,
        usable_from=time + np.int32(1),
        feature_names=("f0", "f1", "f2", "f3", "f4"),
    )


def _context(family: type[Family], task: Task, **overrides: float | str | bool | None) -> FitContext:
    return FitContext(
        task=task, n_classes=N_CLASSES[task], seed=3, threads=1, hyperparameters=family.resolve(overrides)
    )


@pytest.fixture
def make_rows() -> Callable[..., TrainingRows]:
    """Rows of two symbols; features f0 and f1 lead the label."""
    return _rows


@pytest.fixture
def make_context() -> Callable[..., FitContext]:
    """A fit context with the family's defaults and some overrides."""
    return _context


_SHORT = {"epochs": 2, "epochs_without_validation": 1, "gan_steps": 10, "rounds": 20, "rounds_without_validation": 10}


def _short_context(family: type[Family], task: Task) -> FitContext:
    return _context(family, task, **{key: value for key, value in _SHORT.items() if key in family.hyperparameters})


@pytest.fixture
def make_short_context() -> Callable[..., FitContext]:
    """A fit context that ends training early, for checks that do not ask for skill."""
    return _short_context


@cache
def _fitted(family: type[Family], task: Task) -> FittedModel:
    return family().fit(_rows(task, 1600, seed=1), _rows(task, 300, seed=2), context=_context(family, task))


@pytest.fixture(scope="session")
def fitted() -> Callable[[type[Family], Task], FittedModel]:
    """The family, fitted once per session on 1,600 rows with a planted signal."""
    return _fitted


def _sequence_rows(n_rows: int, *, seed: int) -> TrainingRows:
    rng = np.random.default_rng(seed)
    rows = _rows(Task.REGRESSION, n_rows, seed=seed)
    for symbol in (0, 1):
        own = np.flatnonzero(rows.symbol == symbol)
        walk = rng.normal(size=len(own) + _BEFORE)
        for step in range(1, len(walk)):
            walk[step] = _PERSISTENCE * walk[step - 1] + np.sqrt(1.0 - _PERSISTENCE**2) * walk[step]
        value = walk[_BEFORE:]
        mean = np.convolve(walk[_BEFORE - _REACH : -1], np.full(_REACH, 1.0 / _REACH), mode="valid")
        beside = np.mean(_PERSISTENCE ** np.arange(1, _REACH + 1))
        change = (value - mean) - (1.0 - beside) * value
        rows.features[own, 0] = value
        rows.labels[own] = SIGNAL * change / change.std() + rng.normal(size=len(own))
    return rows


@pytest.fixture
def make_sequence_rows() -> Callable[..., TrainingRows]:
    """Rows of a regression led by how far f0 has moved from its mean over the 8 rows before.

    What the value of f0 itself tells about that is taken off: a row by itself tells nothing. The best possible
    prediction has a concordance of about 0.70.
    """
    return _sequence_rows


@cache
def _fitted_on_sequences(family: type[Family]) -> FittedModel:
    train = _sequence_rows(1600, seed=1)
    train.labels[::7] = np.nan if family.reads_history else train.labels[::7]
    context = _context(family, Task.REGRESSION)
    return family().fit(train, _sequence_rows(300, seed=2), context=context)


@pytest.fixture(scope="session")
def fitted_on_sequences() -> Callable[[type[Family]], FittedModel]:
    """The family, fitted once per session on 1,600 rows with a planted sequence signal; some are context only."""
    return _fitted_on_sequences
