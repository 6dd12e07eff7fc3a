from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainroute.errors import ConfigError, TrainingError
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.meta_learning import MetaLearningModel, out_of_fold
from trainroute.families.shared.stacking import purged_folds
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
FAMILY = FAMILIES.get("MetaLearning")
HORIZON = 40


@pytest.fixture
def context(make_context: MakeContext) -> FitContext:
    return make_context(FAMILY, Task.REGRESSION, folds=3, forest_trees=10, rounds_without_validation=10)


def _fit(train: TrainingRows, validation: TrainingRows, context: FitContext) -> MetaLearningModel:
    model = FAMILY().fit(train, validation, context=context)
    assert isinstance(model, MetaLearningModel)
    return model


def _with_horizon(rows: TrainingRows, horizon: int) -> TrainingRows:
    return replace(rows, usable_from=(rows.time + horizon).astype(np.int32))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_labels_that_end_too_late_do_not_change_what_a_fold_predicts(
    number: int, make_rows: MakeRows, context: FitContext
) -> None:
    rows = _with_horizon(make_rows(Task.REGRESSION, 1600, seed=1), HORIZON)
    assert rows.usable_from is not None
    folds = list(purged_folds(rows.time, rows.usable_from, 3))
    before = sum(len(asked) for _, asked in folds[:number])
    own = slice(before, before + len(folds[number][1]))
    start = rows.time[folds[number][1]].min()

    def predict_with(labels: np.ndarray, horizon: int) -> np.ndarray:
        changed = _with_horizon(replace(rows, labels=labels.astype(np.float32)), horizon)
        predicted, asked = out_of_fold(changed, 10, context)
        np.testing.assert_array_equal(asked.time[own], rows.time[folds[number][1]])
        return predicted[:, own]

    too_late = np.where(rows.usable_from > start, 100.0 - rows.labels, rows.labels)
    np.testing.assert_array_equal(predict_with(rows.labels, HORIZON), predict_with(too_late, HORIZON))
    unpurged = np.abs(predict_with(rows.labels, 1) - predict_with(too_late, 1))
    assert unpurged.max() > 0.1, "without the purge they would: the test can fail"


def test_every_row_but_those_of_the_first_block_is_predicted_once(make_rows: MakeRows, context: FitContext) -> None:
    rows = make_rows(Task.REGRESSION, 1600, seed=1)
    predicted, asked = out_of_fold(rows, 10, context)
    assert predicted.shape == (3, 1200)
    assert asked.time.min() == 200
    assert len({(*pair,) for pair in zip(asked.symbol.tolist(), asked.time.tolist(), strict=True)}) == 1200


def test_folds_with_too_little_before_them_are_left_out(make_rows: MakeRows, context: FitContext) -> None:
    rows = make_rows(Task.REGRESSION, 800, seed=1)
    _, asked = out_of_fold(_with_horizon(rows, 120), 10, context)
    assert asked.time.min() == 200, "at 100 nothing is known, at 200 the rows until 80"
    one_class = replace(rows, labels=np.where(rows.time < 250, 1.0, 0.0).astype(np.float32))
    _, asked = out_of_fold(one_class, 10, context)
    assert asked.time.min() == 300
    model = _fit(_with_horizon(rows, 399), make_rows(Task.REGRESSION, 0, seed=2), context)
    assert model.details["out_of_fold_rows"] == 0
    assert model.details["weight_linear"] == pytest.approx(1 / 3)


def test_validation_rows_teach_the_base_learners_but_not_the_meta_learner(
    make_rows: MakeRows, context: FitContext
) -> None:
    rows, later = make_rows(Task.REGRESSION, 800, seed=1), make_rows(Task.REGRESSION, 40, seed=2)
    model = _fit(rows, later, context)
    other = _fit(rows, replace(later, labels=-later.labels), context)
    np.testing.assert_array_equal(model.meta.weights, other.meta.weights)
    assert not np.array_equal(model.predict(rows), other.predict(rows))


def test_the_stack_is_as_good_as_its_best_member_and_predicts_what_its_files_do(
    make_rows: MakeRows, make_context: MakeContext, tmp_path: Path
) -> None:
    context = make_context(FAMILY, Task.REGRESSION, forest_trees=30)
    model = _fit(make_rows(Task.REGRESSION, 1600, seed=1), make_rows(Task.REGRESSION, 300, seed=2), context)
    rows = make_rows(Task.REGRESSION, 4000, seed=9)
    errors = ((model.members.predict(rows) - rows.labels) ** 2).mean(axis=1)
    assert ((model.predict(rows) - rows.labels) ** 2).mean() < 1.01 * errors.min()
    assert errors.argmin() == 2, "the signal is linear"
    assert max(model.details, key=lambda name: float(model.details[name]) if "weight" in name else 0) == "weight_linear"
    model.save(tmp_path)
    loaded = FAMILY().load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    assert loaded.details == model.details


def test_rows_that_do_not_say_when_their_labels_end_are_refused(make_rows: MakeRows, context: FitContext) -> None:
    rows = replace(make_rows(Task.REGRESSION, 800, seed=1), usable_from=None)
    with pytest.raises(TrainingError, match=r"do not say when their labels end; expected TrainingRows\.usable_from"):
        FAMILY().fit(rows, make_rows(Task.REGRESSION, 0, seed=2), context=context)


@pytest.mark.parametrize(("name", "value"), [("folds", 0), ("folds", -2), ("meta_penalty", -0.1)])
def test_numbers_that_cannot_be_used_are_refused_in_the_config(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"MetaLearning\.hyperparameters\.{name}: expected a number .* 0, got"):
        FAMILY.resolve({name: value})
