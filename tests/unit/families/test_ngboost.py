from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

pytest.importorskip("ngboost", reason="needs the extra 'cpu'")

from ngboost import NGBClassifier, NGBRegressor
from ngboost.distns import Normal, k_categorical
from sklearn.tree import DecisionTreeRegressor

from trainroute.families.ngboost import NGBoostModel, fit_booster, trees_of

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
NGBOOST = FAMILIES.get("NGBoost")


def _library_fit(task: Task, rows: TrainingRows, later: TrainingRows, patience: int) -> NGBClassifier | NGBRegressor:
    kind, distribution = {
        Task.BINARY: (NGBClassifier, k_categorical(2)),
        Task.MULTICLASS: (NGBClassifier, k_categorical(3)),
        Task.REGRESSION: (NGBRegressor, Normal),
    }[task]
    number = float if task is Task.REGRESSION else int
    booster = kind(
        Dist=distribution,
        Base=DecisionTreeRegressor(max_depth=4, random_state=0),
        n_estimators=30,
        learning_rate=0.3,
        minibatch_frac=0.5,
        col_sample=0.6,
        random_state=0,
        verbose=False,
    )
    stopping = {"X_val": later.features, "Y_val": later.labels.astype(number)}
    fit_booster(booster, rows.features, rows.labels.astype(number), stopping, patience=patience, threads=1)
    return booster


@pytest.mark.parametrize("task", list(Task))
def test_the_arrays_predict_what_the_library_predicts(task: Task, make_rows: MakeRows) -> None:
    rows = make_rows(task, 600, seed=1, missing=0.1)
    booster = _library_fit(task, rows, make_rows(task, 200, seed=2, missing=0.1), patience=30)
    new = make_rows(task, 3000, seed=3, missing=0.3)
    new.features[:50, 2] = np.nan
    trees = trees_of(booster)
    assert trees.parameters(new.features).shape == (3000, len(booster.init_params))
    expected = booster.pred_param(new.features, max_iter=booster.best_val_loss_itr + 1)
    np.testing.assert_allclose(trees.parameters(new.features), expected, rtol=0, atol=1e-9)

    model = NGBoostModel(
        trees,
        task=task,
        n_classes=3,
        classes=np.arange({Task.BINARY: 2, Task.MULTICLASS: 3, Task.REGRESSION: 0}[task]),
        centre=0.0,
        spread=1.0,
        rows_per_round=300,
    )
    library = booster.pred_dist(new.features, max_iter=booster.best_val_loss_itr + 1)
    if task is Task.REGRESSION:
        np.testing.assert_allclose(model.predict(new), library.loc, rtol=0, atol=1e-9)
        np.testing.assert_allclose(model.predict_spread(new), library.scale, rtol=1e-9)
    else:
        chances = library.probs.T
        np.testing.assert_allclose(
            model.predict(new), chances[:, 1] if task is Task.BINARY else chances, rtol=0, atol=1e-9
        )


def test_boosting_stops_where_the_validation_loss_stops_falling(make_rows: MakeRows) -> None:
    rows, later = make_rows(Task.BINARY, 600, seed=1), make_rows(Task.BINARY, 200, seed=2)
    booster = _library_fit(Task.BINARY, rows, later, patience=5)
    loss = booster.evals_result["val"]["LOGSCORE"]
    assert len(trees_of(booster).step) == int(np.argmin(loss)) + 1 < len(booster.scalings) < 30


@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_values_of_any_scale_are_learnt_alike(scale: float, make_rows: MakeRows, make_context: MakeContext) -> None:
    train, validation = (make_rows(Task.REGRESSION, n, seed=n) for n in (600, 150))
    new = make_rows(Task.REGRESSION, 300, seed=3)
    context = make_context(NGBOOST, Task.REGRESSION, rounds=60, refit=False)
    plain = NGBOOST().fit(train, validation, context=context).predict(new)
    scaled = [
        replace(rows, labels=(rows.labels * scale + 2 * scale).astype(np.float32)) for rows in (train, validation)
    ]
    found = NGBOOST().fit(*scaled, context=context).predict(new)
    np.testing.assert_allclose(found / scale - 2, plain, atol=0.1)
    assert np.corrcoef(found, plain)[0, 1] > 0.99


def test_the_spread_is_learnt_where_it_differs(make_rows: MakeRows, make_context: MakeContext) -> None:
    def noisy(n_rows: int, seed: int) -> TrainingRows:
        rows = make_rows(Task.REGRESSION, n_rows, seed=seed)
        noise = np.random.default_rng(seed).normal(size=n_rows)
        return replace(rows, labels=(noise * np.exp(rows.features[:, 3])).astype(np.float32))

    model = NGBOOST().fit(noisy(1200, 1), noisy(300, 2), context=make_context(NGBOOST, Task.REGRESSION, rounds=60))
    assert isinstance(model, NGBoostModel)
    new = noisy(2000, 3)
    spread = model.predict_spread(new)
    assert concordance(spread, new.features[:, 3]) > 0.85
    assert 0.5 < float(np.mean(np.abs(new.labels - model.predict(new)) < spread)) < 0.85  # 0.68 in a normal one


def test_a_class_that_training_has_not_gets_no_chance_and_stops_nothing(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, validation = (make_rows(Task.MULTICLASS, n, seed=n) for n in (600, 150))
    train.labels[train.labels == 0.0] = 1.0
    model = NGBOOST().fit(train, validation, context=make_context(NGBOOST, Task.MULTICLASS, refit=False))
    new = make_rows(Task.MULTICLASS, 500, seed=3)
    prediction = model.predict(new)
    assert (prediction[:, 0] == 0.0).all()
    np.testing.assert_allclose(prediction.sum(axis=1), 1.0)
    assert concordance(prediction[:, 2], (new.labels == 2.0).astype(np.float32)) > 0.6
    validation.labels[:] = 0.0
    context = make_context(NGBOOST, Task.MULTICLASS, rounds=7, refit=False)
    assert NGBOOST().fit(train, validation, context=context).details["rounds"] == 7


def test_rounds_draw_no_more_rows_than_they_are_told(
    make_rows: MakeRows, make_context: MakeContext, tmp_path: Path
) -> None:
    context = make_context(NGBOOST, Task.BINARY, most_rows_per_round=200, rounds_without_validation=5)
    model = NGBOOST().fit(make_rows(Task.BINARY, 900, seed=1), make_rows(Task.BINARY, 0, seed=2), context=context)
    assert model.details == {"rounds": 5, "rows_per_round": 200}
    model.save(tmp_path)
    assert NGBOOST().load(tmp_path).details == model.details
