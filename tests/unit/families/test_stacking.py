from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from trainroute.families import FAMILIES, FitContext
from trainroute.families.shared.stacking import Meta, _inputs, _loss, fit_meta, purged_folds
from trainroute.records.vocabulary import Task

MakeContext = Callable[..., FitContext]
FAMILY = FAMILIES.get("MetaLearning")


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), min_size=1, max_size=60),
    n_folds=st.integers(1, 6),
)
def test_no_label_reaches_into_the_fold_that_it_helps_to_predict(rows: list[tuple[int, int]], n_folds: int) -> None:
    time = np.array([start for start, _ in rows], dtype=np.int32)
    usable_from = time + np.array([length for _, length in rows], dtype=np.int32)
    folds = list(purged_folds(time, usable_from, n_folds))
    assert len(folds) <= n_folds
    predicted = np.concatenate([asked for _, asked in folds]) if folds else np.empty(0, dtype=int)
    assert len(np.unique(predicted)) == len(predicted)
    first_block = np.setdiff1d(np.arange(len(time)), predicted)
    assert len(first_block) > 0
    assert time[first_block].max() < time[predicted].min(initial=99)
    for known, asked in folds:
        start = time[asked].min()
        # Written out once more, row by row: everything that was known at the start of the fold, and nothing else.
        assert known.tolist() == [row for row in range(len(time)) if usable_from[row] <= start]
        assert not np.isin(time[np.setdiff1d(np.arange(len(time)), asked)], time[asked]).any(), "a time is cut in two"


def test_folds_have_equal_numbers_of_timestamps() -> None:
    time = np.repeat(np.arange(100, dtype=np.int32) * 7, 3)
    folds = list(purged_folds(time, time + np.int32(1), 4))
    assert [len(asked) for _, asked in folds] == [60, 60, 60, 60]
    assert [len(known) for known, _ in folds] == [60, 120, 180, 240]


def _problem(task: Task, n_rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Three base learners: one of little noise, one of much, one that is wrong."""
    rng = np.random.default_rng(0)
    outcome = rng.normal(size=n_rows)
    seen = np.stack([outcome + rng.normal(size=n_rows) * noise for noise in (0.5, 2.0)] + [-outcome])
    if task is Task.REGRESSION:
        return 7.0 + 0.1 * seen, 7.0 + 0.1 * outcome
    if task is Task.BINARY:
        return 1 / (1 + np.exp(-seen)), (outcome > 0).astype(float)
    labels = np.digitize(outcome, [-0.5, 0.5])
    nearness = np.exp(-((seen[..., None] - np.array([-1.0, 0.0, 1.0])) ** 2))
    return nearness / nearness.sum(axis=2, keepdims=True), labels.astype(float)


def _meta(task: Task, make_context: MakeContext, penalty: float, rows: slice = slice(None)) -> Meta:
    predicted, labels = _problem(task)
    context = make_context(FAMILY, task)
    return fit_meta(predicted[:, rows], labels[rows].astype(np.float32), context, penalty=penalty)


@pytest.mark.parametrize("task", list(Task))
def test_weights_are_larger_for_the_better_learner_and_never_negative(task: Task, make_context: MakeContext) -> None:
    weights = _meta(task, make_context, 0.001).weights
    assert weights[0] > 2 * weights[1] > 0
    assert 0 <= weights[2] < 1e-5


@pytest.mark.parametrize("task", list(Task))
def test_the_gradient_is_that_of_the_loss(task: Task) -> None:
    predicted, labels = _problem(task, 40)
    inputs = _inputs(predicted, task)
    y = labels[:, None] if task is not Task.MULTICLASS else (labels[:, None] == np.arange(3)).astype(float)
    rest = (inputs, y, task, 0.3)
    for parameters in np.random.default_rng(1).normal(size=(5, 3 + inputs.shape[2])):
        assert check_grad(lambda p: _loss(p, *rest)[0], lambda p: _loss(p, *rest)[1], parameters) < 1e-4


def test_without_a_penalty_weights_of_values_are_those_of_least_squares(make_context: MakeContext) -> None:
    predicted, labels = _problem(Task.REGRESSION)
    context = make_context(FAMILY, Task.REGRESSION)
    meta = fit_meta(predicted[:2], labels.astype(np.float32), context, penalty=0.0)
    design = np.column_stack([*predicted[:2], np.ones(len(labels))])
    expected, *_ = np.linalg.lstsq(design, labels, rcond=None)
    np.testing.assert_allclose([*meta.weights, *meta.intercept], expected, atol=2e-3)


@pytest.mark.parametrize("task", list(Task))
def test_a_great_penalty_and_too_few_rows_give_equal_weights(task: Task, make_context: MakeContext) -> None:
    np.testing.assert_allclose(_meta(task, make_context, 1e6).weights, 1 / 3, atol=1e-4)
    few = _meta(task, make_context, 0.0, slice(49))
    np.testing.assert_array_equal(few.weights, np.full(3, 1 / 3))
    predicted, _ = _problem(task)
    shape = (400, 3) if task is Task.MULTICLASS else (400,)
    assert few.predict(predicted).shape == shape


def test_probabilities_of_0_and_1_are_mixed(make_context: MakeContext) -> None:
    predicted = np.array([[0.0, 1.0, 1.0], [0.5, 0.5, 0.0], [0.2, 0.5, 0.5]])
    found = _meta(Task.BINARY, make_context, 1.0, slice(10)).predict(predicted)
    assert np.isfinite(found).all()
    assert found[0] < 0.05
    assert found[1] > 0.95
