"""What every registered family must do, whatever it is; a new family is tested by being there."""

import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainroute.errors import ConfigError, TrainingError
from trainroute.families import FAMILIES, Family, FitContext, FittedModel, TrainingRows
from trainroute.metrics import concordance, multiclass_concordance
from trainroute.records.vocabulary import Stage, Task, TrainingType

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
Fitted = Callable[[type[Family], Task], FittedModel]

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
DISTRIBUTIONS = packages_distributions()
MEMBERS = FAMILIES.members()
FIT_CASES = [
    (family, task)
    for number, family in enumerate(MEMBERS)
    for task in (
        sorted(family.tasks) if family.stage is Stage.CPU else [sorted(family.tasks)[number % len(family.tasks)]]
    )
]
"""A network's tasks differ in its head alone: checks that train anew and are not about the head take one task each."""
CASES = [
    pytest.param(family, task, marks=[] if (family, task) in FIT_CASES else pytest.mark.long)
    for family in MEMBERS
    for task in sorted(family.tasks)
]


def _id(value: type[Family] | Task) -> str:
    return value.value if isinstance(value, Task) else value.name


every_family = pytest.mark.parametrize("family", MEMBERS, ids=_id)
every_case = pytest.mark.parametrize(("family", "task"), CASES, ids=_id)
every_fit = pytest.mark.parametrize(("family", "task"), FIT_CASES, ids=_id)


def _skill(prediction: NDArray[np.float64], rows: TrainingRows, task: Task) -> float:
    if task is Task.MULTICLASS:
        group = np.zeros(len(rows), dtype=np.int64)
        return float(multiclass_concordance(prediction, rows.labels, np.arange(3), group, 1).score[0])
    return concordance(prediction, rows.labels)


def test_the_base_families_are_found() -> None:
    assert {"LightGBM", "XGBoost", "Ensemble"} <= set(FAMILIES.names())


@every_family
def test_declares_what_it_can_do(family: type[Family]) -> None:
    assert isinstance(family.stage, Stage)
    assert family.tasks <= set(Task)
    assert family.tasks
    assert family.training_types <= set(TrainingType)
    assert family.min_rows >= 1
    assert family.estimate_seconds(1_000_000) > family.estimate_seconds(1_000) > 0.0


@every_case
def test_learns_a_planted_signal(family: type[Family], task: Task, fitted: Fitted, make_rows: MakeRows) -> None:
    rows = make_rows(task, 4000, seed=9)
    assert _skill(fitted(family, task).predict(rows), rows, task) > 0.62


@every_fit
def test_finds_nothing_in_noise(
    family: type[Family], task: Task, make_rows: MakeRows, make_short_context: MakeContext
) -> None:
    """What is found in new noise does not depend on how long the training on noise was."""
    model = family().fit(
        make_rows(task, 1200, seed=1, signal=0.0),
        make_rows(task, 300, seed=2),
        context=make_short_context(family, task),
    )
    rows = make_rows(task, 6000, seed=5, signal=0.0)
    assert _skill(model.predict(rows), rows, task) == pytest.approx(0.5, abs=0.03)


@every_case
def test_predicts_the_promised_shape_and_range(
    family: type[Family], task: Task, fitted: Fitted, make_rows: MakeRows
) -> None:
    rows = make_rows(task, 200, seed=4)
    prediction = fitted(family, task).predict(rows)
    assert prediction.dtype == np.float64
    assert prediction.shape == ((200, 3) if task is Task.MULTICLASS else (200,))
    if task is not Task.REGRESSION:
        assert prediction.min() >= 0.0
        assert prediction.max() <= 1.0
    if task is Task.MULTICLASS:
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-6)


@every_fit
def test_reads_missing_values_beside_constant_and_wholly_missing_features(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, validation, rows = (make_rows(task, n, seed=n, missing=0.2) for n in (1600, 300, 4000))
    for part in (train, validation, rows):
        part.features[:, 2] = 1e6
        part.features[:, 3] = np.nan
    prediction = family().fit(train, validation, context=make_context(family, task)).predict(rows)
    assert np.isfinite(prediction).all()
    assert _skill(prediction, rows, task) > 0.60


@every_case
def test_predicts_a_row_from_that_row_alone_or_its_past(
    family: type[Family], task: Task, fitted: Fitted, make_rows: MakeRows
) -> None:
    rows = make_rows(task, 200, seed=4)
    first = replace(
        rows,
        features=rows.features[:80],
        labels=rows.labels[:80],
        symbol=rows.symbol[:80],
        time=rows.time[:80],
    )
    model = fitted(family, task)
    np.testing.assert_array_equal(model.predict(first), model.predict(rows)[:80])


@every_case
def test_what_comes_later_or_of_another_symbol_changes_nothing(
    family: type[Family], task: Task, fitted: Fitted, make_rows: MakeRows
) -> None:
    rows = make_rows(task, 200, seed=4)
    changed = replace(rows, features=rows.features.copy())
    changed.features[60:] = make_rows(task, 140, seed=5).features + 3.0
    model = fitted(family, task)
    before, after = model.predict(rows), model.predict(changed)
    np.testing.assert_array_equal(after[:60], before[:60])
    assert not np.array_equal(after[60:], before[60:])
    changed = replace(rows, features=rows.features.copy())
    changed.features[:100] = make_rows(task, 100, seed=5).features + 3.0
    np.testing.assert_array_equal(model.predict(changed)[100:], before[100:])


@every_family
def test_refuses_infinite_values_and_names_the_feature(
    family: type[Family], make_rows: MakeRows, make_context: MakeContext
) -> None:
    task = min(family.tasks)
    rows = make_rows(task, 800, seed=1)
    rows.features[17, 3] = -np.inf
    with pytest.raises(TrainingError, match=r"'f3' holds infinite values"):
        family().fit(rows, make_rows(task, 100, seed=2), context=make_context(family, task))
    with pytest.raises(TrainingError, match=r"'f3' holds infinite values"):
        family().fit(make_rows(task, 800, seed=1), rows, context=make_context(family, task))


@every_family
def test_refuses_too_few_rows(family: type[Family], make_rows: MakeRows, make_context: MakeContext) -> None:
    task = min(family.tasks)
    too_few = make_rows(task, family.min_rows - 1, seed=1)
    with pytest.raises(TrainingError, match=f"at least {family.min_rows} are needed"):
        family().fit(too_few, make_rows(task, 100, seed=2), context=make_context(family, task))


@every_fit
def test_trains_on_the_fewest_rows_it_accepts_without_validation(
    family: type[Family], task: Task, make_rows: MakeRows, make_short_context: MakeContext
) -> None:
    train = make_rows(task, family.min_rows, seed=1)
    nothing = make_rows(task, 0, seed=2)
    model = family().fit(train, nothing, context=make_short_context(family, task))
    assert np.isfinite(model.predict(train)).all()


@every_case
def test_refuses_labels_that_teach_nothing(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    rows = make_rows(task, 800, seed=1)
    rows.labels[:] = 1.0
    with pytest.raises(TrainingError, match="are all equal" if task is Task.REGRESSION else "one class only"):
        family().fit(rows, make_rows(task, 100, seed=2), context=make_context(family, task))


@every_family
def test_bears_a_class_that_is_absent_from_training(
    family: type[Family], make_rows: MakeRows, make_short_context: MakeContext
) -> None:
    if Task.MULTICLASS not in family.tasks:
        pytest.skip(f"{family.name} does not do multiclass")
    rows = make_rows(Task.MULTICLASS, 900, seed=1)
    rows.labels[rows.labels == 1.0] = 0.0
    model = family().fit(
        rows, make_rows(Task.MULTICLASS, 200, seed=2), context=make_short_context(family, Task.MULTICLASS)
    )
    prediction = model.predict(make_rows(Task.MULTICLASS, 300, seed=3))
    assert prediction.shape == (300, 3)
    assert np.isfinite(prediction).all()


@every_fit
def test_the_same_seed_gives_the_same_files(
    family: type[Family], task: Task, make_rows: MakeRows, make_short_context: MakeContext, tmp_path: Path
) -> None:
    contents = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        train, validation = make_rows(task, 500, seed=1), make_rows(task, 120, seed=2)
        before = train.features.copy()
        model = family().fit(train, validation, context=make_short_context(family, task))
        np.testing.assert_array_equal(train.features, before, err_msg="the fit changed its input")
        model.save(folder)
        assert sorted(path.name for path in folder.iterdir()) == sorted(model.files)
        contents.append({name: (folder / name).read_bytes() for name in model.files})
    assert contents[0] == contents[1]


@every_family
def test_refuses_an_unknown_hyperparameter(family: type[Family]) -> None:
    with pytest.raises(ConfigError, match=f"training.families.{family.name}.hyperparameters.no_such_thing: unknown"):
        family.resolve({"no_such_thing": 1})


@every_family
def test_a_missing_library_is_named_and_so_is_what_installs_it(
    family: type[Family], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    installed = [*project["dependencies"], *(project["optional-dependencies"][family.extra] if family.extra else ())]
    names = {requirement.split(">")[0] for requirement in installed}
    for module in family.requires:
        assert names & set(DISTRIBUTIONS[module]), f"nothing installs {module}"
        monkeypatch.setitem(sys.modules, module, None)
        assert family.missing_libraries() == (module,)
        monkeypatch.undo()
    assert family.missing_libraries() == ()
    assert family.install_hint() == (
        f"pip install 'trainroute[{family.extra}]'" if family.extra else f"pip install {' '.join(family.requires)}"
    )
