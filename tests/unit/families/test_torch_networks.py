from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from trainroute.errors import ConfigError, TrainingError
from trainroute.families import FAMILIES, Family, FitContext, TrainingRows
from trainroute.families.shared.torch_networks import NetworkModel
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
TORCH_FAMILIES = [family for family in FAMILIES.members() if family.gpu_library == "torch"]
every_torch_family = pytest.mark.parametrize("family", TORCH_FAMILIES, ids=lambda family: family.name)
TAB_CNN = FAMILIES.get("TabCNN")


def test_the_six_families_are_there() -> None:
    names = {family.name for family in TORCH_FAMILIES}
    assert names == {"CNN1D", "LSTM", "Transformer", "TabCNN", "TabLSTM", "TabTransformer"}


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("LSTM", {"sequence_length": 0}, "LSTM.hyperparameters.sequence_length: expected a number above 0, got 0"),
        ("LSTM", {"max_gap": -1}, "max_gap: expected a number above 0, got -1"),
        ("TabCNN", {"learning_rate": 0.0}, "learning_rate: expected a number above 0, got 0.0"),
        ("TabCNN", {"weight_decay": -0.1}, "weight_decay: expected 0 or more, got -0.1"),
        ("TabCNN", {"dropout": 1.0}, "dropout: expected 0 or more and below 1, got 1.0"),
        ("Transformer", {"heads": 5}, r"width: expected a multiple of heads \(5\), got 32"),
        ("TabTransformer", {"width": 15}, r"width: expected a multiple of heads \(2\), got 15"),
    ],
)
def test_impossible_sizes_are_refused_by_name(name: str, override: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FAMILIES.get(name).resolve(override)


def test_possible_sizes_are_taken() -> None:
    assert TAB_CNN.resolve({"weight_decay": 0.0, "dropout": 0.0})["dropout"] == 0.0


def test_beyond_a_full_epoch_the_estimate_does_not_grow() -> None:
    full = int(TAB_CNN.hyperparameters["batch_rows"] or 0) * int(TAB_CNN.hyperparameters["batches_per_epoch"] or 0)
    assert TAB_CNN.estimate_seconds(full // 2) < TAB_CNN.estimate_seconds(full) == TAB_CNN.estimate_seconds(5_000_000)


@every_torch_family
def test_features_cost_what_reads_them_one_by_one(family: type[Family]) -> None:
    few, many = (family.estimate_seconds(10_000, n_features) for n_features in (20, 200))
    assert (few == many) == family.reads_history
    assert few <= many


@every_torch_family
def test_no_rows_are_predicted_as_none_and_threads_change_no_bit(
    family: type[Family], make_rows: MakeRows, make_short_context: MakeContext
) -> None:
    context = make_short_context(family, Task.MULTICLASS)
    model = family().fit(
        make_rows(Task.MULTICLASS, 500, seed=1), make_rows(Task.MULTICLASS, 0, seed=2), context=context
    )
    assert model.predict(make_rows(Task.MULTICLASS, 0, seed=3)).shape == (0, 3)
    rows = make_rows(Task.MULTICLASS, 700, seed=3)
    np.testing.assert_array_equal(model.predict(rows, threads=2), model.predict(rows, threads=1))


@pytest.mark.parametrize("name", ["TabLSTM", "TabTransformer"])
def test_missing_values_make_no_further_tokens(
    name: str, make_rows: MakeRows, make_short_context: MakeContext, tmp_path: Path
) -> None:
    family = FAMILIES.get(name)
    rows = make_rows(Task.BINARY, 500, seed=1, missing=0.1)
    model = family().fit(rows, rows, context=make_short_context(family, Task.BINARY))
    assert isinstance(model, NetworkModel)
    assert model.description.features.n_inputs == 10
    assert model.network.get_parameter("tokens.direction").shape[0] == 5
    model.save(tmp_path)
    np.testing.assert_array_equal(family().load(tmp_path).predict(rows), model.predict(rows))


def test_validation_rows_stop_the_training_and_few_of_them_do_not(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    train = make_rows(Task.BINARY, 600, seed=1)
    context = make_context(TAB_CNN, Task.BINARY, epochs=9, patience=2, epochs_without_validation=3)
    stopped = TAB_CNN().fit(train, make_rows(Task.BINARY, 200, seed=2), context=context).details
    assert 1 <= int(stopped["best_epoch"]) <= int(stopped["epochs"]) <= 9
    assert float(stopped["validation_loss"]) < np.log(2.0)
    unlabelled = make_rows(Task.BINARY, 200, seed=2)
    unlabelled.labels[49:] = np.nan
    for too_few in (make_rows(Task.BINARY, 49, seed=2), unlabelled):
        details = TAB_CNN().fit(train, too_few, context=context).details
        assert (details["epochs"], details["best_epoch"]) == (3, 3)
        assert "validation_loss" not in details


def test_predictions_of_a_regression_are_on_the_scale_of_its_labels(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, validation, rows = (make_rows(Task.REGRESSION, n, seed=n) for n in (1500, 300, 2000))
    for part in (train, validation):
        part.labels[:] = 1000.0 + 0.01 * part.labels
    prediction = TAB_CNN().fit(train, validation, context=make_context(TAB_CNN, Task.REGRESSION)).predict(rows)
    assert prediction.mean() == pytest.approx(1000.0, abs=0.003)
    assert 0.003 < prediction.std() < 0.012


def test_features_that_do_not_vary_are_refused(make_rows: MakeRows, make_context: MakeContext) -> None:
    train = make_rows(Task.BINARY, 500, seed=1)
    train.features[:] = 7.0
    with pytest.raises(TrainingError, match="none of the 5 features varies in the 500 training rows"):
        TAB_CNN().fit(train, train, context=make_context(TAB_CNN, Task.BINARY))


@pytest.mark.parametrize("name", ["TabCNN", "LSTM"])
def test_scaling_comes_from_training_rows_alone(
    name: str, make_rows: MakeRows, make_short_context: MakeContext
) -> None:
    family = FAMILIES.get(name)
    train, validation = make_rows(Task.BINARY, 500, seed=1), make_rows(Task.BINARY, 200, seed=2)
    far = make_rows(Task.BINARY, 200, seed=2)
    far.features[:] = 100.0 * far.features + 50.0
    models = [family().fit(train, part, context=make_short_context(family, Task.BINARY)) for part in (validation, far)]
    assert all(isinstance(model, NetworkModel) for model in models)
    first, second = (model.description.features for model in models)  # type: ignore[attr-defined]
    assert first == second
    np.testing.assert_allclose(first.mean, train.features.mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_a_description_of_another_form_is_refused(
    make_rows: MakeRows, make_short_context: MakeContext, tmp_path: Path
) -> None:
    rows = make_rows(Task.BINARY, 500, seed=1)
    TAB_CNN().fit(rows, rows, context=make_short_context(TAB_CNN, Task.BINARY)).save(tmp_path)
    description = msgspec.json.decode((tmp_path / "network.json").read_bytes())
    (tmp_path / "network.json").write_bytes(msgspec.json.encode({**description, "later": 1}))
    with pytest.raises(msgspec.ValidationError, match="unknown field `later`"):
        TAB_CNN().load(tmp_path)
