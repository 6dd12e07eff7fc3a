"""What only the Keras families do; what every family does is in test_family_checks.py."""

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainroute.errors import ConfigError, TrainingError
from trainroute.families import FAMILIES, Family, FitContext, FittedModel, Siblings, TrainingRows
from trainroute.families.gan import GANModel
from trainroute.families.vae import VAEModel
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

torch = pytest.importorskip("torch")

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]

MLP, VAE, GAN, MULTI = (FAMILIES.get(name) for name in ("MLP", "VAE", "GAN", "MultiTask"))
if MLP.missing_libraries():
    pytest.skip("Keras is not installed", allow_module_level=True)
NAMES = tuple(f"f{number}" for number in range(8))


def _factor_rows(n_rows: int, *, seed: int) -> TrainingRows:
    """Eight features of three factors and some noise of their own; the first factor leads the label."""
    rng = np.random.default_rng(seed)
    loadings = np.random.default_rng(99).normal(size=(3, 8))
    factors = rng.normal(size=(n_rows, 3))
    features = (10.0 + factors @ loadings + 0.3 * rng.normal(size=(n_rows, 8))).astype(np.float32)
    return TrainingRows(
        features=features,
        labels=(factors[:, 0] + rng.normal(size=n_rows) > 0).astype(np.float32),
        symbol=np.zeros(n_rows, dtype=np.int32),
        time=np.arange(n_rows, dtype=np.int32),
        feature_names=NAMES,
    )


def _part(rows: TrainingRows, part: slice) -> TrainingRows:
    names = ("features", "labels", "symbol", "time")
    return replace(rows, **{name: getattr(rows, name)[part] for name in names})


@pytest.mark.parametrize(
    ("backend", "missing", "hint"),
    [
        ("torch", (), "pip install 'trainroute[keras]'"),
        ("no_such_backend", ("no_such_backend",), "pip install no_such_backend, or unset KERAS_BACKEND"),
    ],
)
def test_the_library_that_keras_would_compute_with_must_be_there(
    backend: str, missing: tuple[str, ...], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert MLP.missing_libraries() == missing
    assert MLP.install_hint() == hint


def test_a_backend_that_is_not_torch_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow.py").touch()
    (tmp_path / "keras.py").touch()
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert MLP.missing_libraries() == ()


@pytest.mark.parametrize(
    ("family", "override", "message"),
    [
        (MLP, {"width": 0}, r"MLP.hyperparameters.width: expected a number above 0, got 0"),
        (MLP, {"epochs": -1}, r"MLP.hyperparameters.epochs: expected a number above 0, got -1"),
        (MLP, {"dropout": 1.0}, r"dropout: expected 0 or more and below 1, got 1.0"),
        (GAN, {"generated_share": -0.1}, r"generated_share: expected 0 or more, got -0.1"),
        (VAE, {"latent": 0}, r"VAE.hyperparameters.latent: expected a number above 0, got 0"),
        (MULTI, {"sibling_weight": -1.0}, r"sibling_weight: expected 0 or more, got -1.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(family: type[Family], override: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        family.resolve(override)


def test_a_loss_that_is_no_number_is_an_error(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, nothing = make_rows(Task.REGRESSION, 400, seed=1), make_rows(Task.REGRESSION, 0, seed=2)
    context = make_context(MLP, Task.REGRESSION, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in epoch \d+; expected a number: lower learning_r"):
        MLP().fit(train, nothing, context=context)


@pytest.mark.parametrize("family", [VAE, GAN], ids=["VAE", "GAN"])
def test_rows_without_values_to_make_are_refused(
    family: type[Family], make_rows: MakeRows, make_context: MakeContext
) -> None:
    rows = make_rows(Task.BINARY, 400, seed=1, missing=0.3)
    rows.features[~np.isnan(rows.features)] = 1.0
    with pytest.raises(TrainingError, match="no feature varies but by being missing"):
        family().fit(rows, make_rows(Task.BINARY, 0, seed=2), context=make_context(family, Task.BINARY))


def test_the_mlp_sees_what_no_linear_model_can(make_context: MakeContext) -> None:
    rows = _factor_rows(3000, seed=1)
    rows.features[:] = np.random.default_rng(5).normal(size=rows.features.shape)
    rows.labels[:] = rows.features[:, 0] * rows.features[:, 1] > 0
    model = MLP().fit(_part(rows, slice(1600)), _part(rows, slice(1600, 2000)), context=make_context(MLP, Task.BINARY))
    later = _part(rows, slice(2000, 3000))
    assert concordance(model.predict(later), later.labels) > 0.9


def test_training_stops_early_and_returns_to_the_best_epoch(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, validation = (make_rows(Task.BINARY, n, seed=n, signal=0.0) for n in (600, 200))
    details = MLP().fit(train, validation, context=make_context(MLP, Task.BINARY, patience=2, epochs=30)).details
    assert details["epochs"] == details["best_epoch"] + 2 < 30
    assert details["backend"] == "torch"
    # The longer run passes the same epochs, so it cannot end with a worse one.
    longer = MLP().fit(train, validation, context=make_context(MLP, Task.BINARY, patience=4, epochs=30)).details
    assert longer["validation_loss"] <= details["validation_loss"]
    nothing = make_rows(Task.BINARY, 0, seed=2)
    context = make_context(MLP, Task.BINARY, epochs_without_validation=3)
    assert MLP().fit(train, nothing, context=context).details["epochs"] == 3


@pytest.mark.parametrize("family", [MLP, VAE, GAN, MULTI], ids=["MLP", "VAE", "GAN", "MultiTask"])
def test_a_row_is_predicted_to_the_last_bit_wherever_it_stands(
    family: type[Family], fitted: Callable[[type[Family], Task], FittedModel], make_rows: MakeRows
) -> None:
    rows = make_rows(Task.BINARY, 2500, seed=4)
    model = fitted(family, Task.BINARY)
    whole = model.predict(rows, threads=2)
    for part in (slice(1), slice(3, 1500), slice(1023, 1026), slice(2499, 2500)):
        np.testing.assert_array_equal(model.predict(_part(rows, part)), whole[part])


def test_a_fit_leaves_global_state_alone(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, nothing = make_rows(Task.BINARY, 400, seed=1), make_rows(Task.BINARY, 0, seed=2)
    for family in (GAN, VAE):
        before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state(), torch.get_num_threads()  # noqa: NPY002 - the state that must not change
        family().fit(train, nothing, context=make_context(family, Task.BINARY, epochs_without_validation=1))
        assert random.getstate() == before[0]
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[2])
        assert torch.get_num_threads() == before[3]


def test_the_vae_rebuilds_rows_from_fewer_latent_features(make_context: MakeContext) -> None:
    train, validation, rows = (_factor_rows(n, seed=n) for n in (1600, 300, 2000))
    model = VAE().fit(train, validation, context=make_context(VAE, Task.BINARY, latent=4))
    assert isinstance(model, VAEModel)
    values = model.question.values(rows)
    left = ((model.rebuilt(rows) - values) ** 2).mean() / ((values - values.mean(axis=0)) ** 2).mean()
    assert left < 0.4
    assert concordance(model.predict(rows), rows.labels) > 0.68


def test_the_gan_makes_rows_up_that_resemble_the_real_ones(make_context: MakeContext) -> None:
    train, validation = _factor_rows(1600, seed=1), _factor_rows(300, seed=2)
    model = GAN().fit(train, validation, context=make_context(GAN, Task.BINARY))
    assert isinstance(model, GANModel)
    assert model.details["generated_rows"] == 800
    real, false = model.question.values(train), model.generated(train, seed=1)
    assert false.shape == real.shape
    np.testing.assert_allclose(false.mean(axis=0), real.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(false.std(axis=0), real.std(axis=0), atol=0.12)
    np.testing.assert_allclose(np.corrcoef(false.T), np.corrcoef(real.T), atol=0.12)
    high = train.labels == 1.0
    between = [values[high].mean(axis=0) - values[~high].mean(axis=0) for values in (real, false)]
    np.testing.assert_allclose(between[1], between[0], atol=0.25)
    assert np.abs(false - model.generated(train, seed=2)).mean() > 0.3, "the generator repeats itself"
    np.testing.assert_array_equal(false, model.generated(train, seed=1))


def test_generator_and_decoder_come_back_from_disk(
    fitted: Callable[[type[Family], Task], FittedModel], make_rows: MakeRows, tmp_path: Path
) -> None:
    rows = make_rows(Task.BINARY, 100, seed=4, missing=0.1)
    for family, makes in ((GAN, "generated"), (VAE, "rebuilt")):
        model = fitted(family, Task.BINARY)
        folder = tmp_path / family.name
        folder.mkdir()
        model.save(folder)
        loaded = family().load(folder)
        how = {"seed": 1} if family is GAN else {}
        np.testing.assert_array_equal(getattr(loaded, makes)(rows, **how), getattr(model, makes)(rows, **how))
        assert loaded.details == model.details
        assert loaded.files == model.files


def test_generated_rows_lack_what_the_real_ones_lack(make_rows: MakeRows, make_context: MakeContext) -> None:
    train = make_rows(Task.REGRESSION, 600, seed=1, missing=0.2)
    context = make_context(GAN, Task.REGRESSION, gan_steps=20, epochs_without_validation=1)
    model = GAN().fit(train, make_rows(Task.REGRESSION, 0, seed=2), context=context)
    assert isinstance(model, GANModel)
    np.testing.assert_array_equal(model.generated(train, seed=1) == 0.0, np.isnan(train.features))


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_generated_rows_do_no_harm(
    task: Task, make_rows: MakeRows, make_context: MakeContext, fitted: Callable[[type[Family], Task], FittedModel]
) -> None:
    """Within 0.02 of the concordance that the same network reaches on real rows alone."""
    rows = make_rows(task, 6000, seed=9)
    plain = GAN().fit(
        make_rows(task, 1600, seed=1),
        make_rows(task, 300, seed=2),
        context=make_context(GAN, task, generated_share=0.0, gan_steps=1),
    )
    assert plain.details["generated_rows"] == 0
    scores = [concordance(model.predict(rows), rows.labels) for model in (fitted(GAN, task), plain)]
    assert scores[0] > scores[1] - 0.02


def _with_siblings(rows: TrainingRows, *names: str, **columns: np.ndarray) -> TrainingRows:
    tasks = tuple(Task.REGRESSION if name.startswith("value") else Task.BINARY for name in names)
    labels = np.column_stack([columns[name] for name in names]).astype(np.float32)
    return replace(rows, siblings=Siblings(names=names, tasks=tasks, labels=labels))


def _wide_rows(n_rows: int, *, seed: int) -> tuple[TrainingRows, np.ndarray]:
    """Thirty features, one of whose sums leads a noisy label; and that sum."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, 30)).astype(np.float32)
    led = features[:, :10].sum(axis=1) / np.sqrt(10.0)
    rows = TrainingRows(
        features=features,
        labels=(led + 2.0 * rng.normal(size=n_rows) > 0).astype(np.float32),
        symbol=np.zeros(n_rows, dtype=np.int32),
        time=np.arange(n_rows, dtype=np.int32),
        feature_names=tuple(f"f{number}" for number in range(30)),
    )
    return rows, led


def test_an_informative_sibling_helps_where_own_labels_are_few_and_noisy(make_context: MakeContext) -> None:
    rows, _ = _wide_rows(4000, seed=3)
    validation, _ = _wide_rows(200, seed=2)
    gains = []
    for seed in range(3):
        train, led = _wide_rows(400, seed=10 + seed)
        with_sibling = _with_siblings(train, "value_led", value_led=np.where(np.arange(400) % 10 == 0, np.nan, led))
        models = [MULTI().fit(t, validation, context=make_context(MULTI, Task.BINARY)) for t in (with_sibling, train)]
        assert models[0].details["siblings"] == "value_led"
        assert "siblings" not in models[1].details
        scores = [concordance(model.predict(rows), rows.labels) for model in models]
        gains.append(scores[0] - scores[1])
    assert min(gains) > 0.0
    assert np.mean(gains) > 0.02


def test_a_sibling_that_teaches_nothing_is_left_out(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, nothing = make_rows(Task.MULTICLASS, 400, seed=1), make_rows(Task.MULTICLASS, 0, seed=2)
    unknown, constant = np.full(400, np.nan), np.ones(400)
    good = (train.features[:, 0] > 0).astype(np.float32)
    context = make_context(MULTI, Task.MULTICLASS, epochs_without_validation=2)
    model = MULTI().fit(
        _with_siblings(train, "unknown", "good", "value_same", unknown=unknown, good=good, value_same=constant),
        nothing,
        context=context,
    )
    assert model.details["siblings"] == "good"
    alone = MULTI().fit(_with_siblings(train, "unknown", unknown=unknown), nothing, context=context)
    plain = MULTI().fit(train, nothing, context=context)
    rows = make_rows(Task.MULTICLASS, 100, seed=3)
    np.testing.assert_array_equal(alone.predict(rows), plain.predict(rows))
    assert (model.predict(rows) != plain.predict(rows)).any()
