"""Rows with a planted signal, and fits that are shared between tests."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from trainroute.families import Family, FitContext, FittedModel, TrainingRows
from trainroute.records.vocabulary import Task

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


@cache
def _fitted(family: type[Family], task: Task) -> FittedModel:
    return family().fit(_rows(task, 1600, seed=1), _rows(task, 300, seed=2), context=_context(family, task))


@pytest.fixture(scope="session")
def fitted() -> Callable[[type[Family], Task], FittedModel]:
    """The family, fitted once per session on 1,600 rows with a planted signal."""
    return _fitted
