"""What every registered family must do, whatever it is; a new family is tested by being there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
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

MEMBERS = FAMILIES.members()
CASES = [(family, task) for family in MEMBERS for task in sorted(family.tasks)]
every_family = pytest.mark.parametrize("family", MEMBERS, ids=lambda family: family.name)
every_case = pytest.mark.parametrize(("family", "task"), CASES, ids=[f"{family.name}-{task}" for family, task in CASES])


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


@every_case
def test_finds_nothing_in_noise(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    model = family().fit(
        make_rows(task, 1200, seed=1, signal=0.0), make_rows(task, 300, seed=2), context=make_context(family, task)
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


@every_case
def test_reads_missing_values(family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext) -> None:
    train, validation = make_rows(task, 1600, seed=1, missing=0.2), make_rows(task, 300, seed=2, missing=0.2)
    model = family().fit(train, validation, context=make_context(family, task))
    rows = make_rows(task, 4000, seed=9, missing=0.2)
    prediction = model.predict(rows)
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


@every_case
def test_trains_on_the_fewest_rows_it_accepts_without_validation(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    train = make_rows(task, family.min_rows, seed=1)
    nothing = make_rows(task, 0, seed=2)
    model = family().fit(train, nothing, context=make_context(family, task))
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
    family: type[Family], make_rows: MakeRows, make_context: MakeContext
) -> None:
    if Task.MULTICLASS not in family.tasks:
        pytest.skip(f"{family.name} does not do multiclass")
    rows = make_rows(Task.MULTICLASS, 900, seed=1)
    rows.labels[rows.labels == 1.0] = 0.0
    model = family().fit(rows, make_rows(Task.MULTICLASS, 200, seed=2), context=make_context(family, Task.MULTICLASS))
    prediction = model.predict(make_rows(Task.MULTICLASS, 300, seed=3))
    assert prediction.shape == (300, 3)
    assert np.isfinite(prediction).all()


@every_case
def test_bears_constant_and_wholly_missing_features(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, validation, rows = (make_rows(task, n, seed=n) for n in (1600, 300, 4000))
    for part in (train, validation, rows):
        part.features[:, 2] = 1e6
        part.features[:, 3] = np.nan
    prediction = family().fit(train, validation, context=make_context(family, task)).predict(rows)
    assert _skill(prediction, rows, task) > 0.60


@every_case
def test_the_same_seed_gives_the_same_files(
    family: type[Family], task: Task, make_rows: MakeRows, make_context: MakeContext, tmp_path: Path
) -> None:
    contents = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        train, validation = make_rows(task, 500, seed=1), make_rows(task, 120, seed=2)
        before = train.features.copy()
        model = family().fit(train, validation, context=make_context(family, task))
        np.testing.assert_array_equal(train.features, before, err_msg="the fit changed its input")
        model.save(folder)
        assert sorted(path.name for path in folder.iterdir()) == sorted(model.files)
        contents.append({name: (folder / name).read_bytes() for name in model.files})
    assert contents[0] == contents[1]


@every_family
def test_refuses_an_unknown_hyperparameter(family: type[Family]) -> None:
    with pytest.raises(ConfigError, match=f"training.families.{family.name}.hyperparameters.no_such_thing: unknown"):
        family.resolve({"no_such_thing": 1})


_LOAD = """
import json, sys
from pathlib import Path
import numpy as np
from trainroute.families import FAMILIES, Rows

root = Path(sys.argv[1])
features = np.load(root / "features.npy")
n = len(features)
names = tuple(f"f{i}" for i in range(features.shape[1]))
symbol, time = np.load(root / "symbol.npy"), np.load(root / "time.npy")
rows = Rows(features=features, symbol=symbol, time=time, feature_names=names)
for folder in sorted(path for path in root.iterdir() if path.is_dir()):
    model = FAMILIES.get(folder.name.split("-")[0])().load(folder)
    np.save(root / f"{folder.name}.npy", model.predict(rows))
"""


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same_from_the_saved_files(
    fitted: Fitted, make_rows: MakeRows, tmp_path: Path
) -> None:
    rows = make_rows(Task.BINARY, 300, seed=8, missing=0.1)
    for name in ("features", "symbol", "time"):
        np.save(tmp_path / f"{name}.npy", getattr(rows, name))
    for family, task in CASES:
        folder = tmp_path / f"{family.name}-{task}"
        folder.mkdir()
        fitted(family, task).save(folder)
        for file in folder.iterdir():
            assert not file.read_bytes().startswith(b"\x80"), f"{file.name} looks like a pickle"
    subprocess.run([sys.executable, "-c", _LOAD, str(tmp_path)], check=True)
    for family, task in CASES:
        loaded = np.load(tmp_path / f"{family.name}-{task}.npy")
        np.testing.assert_array_equal(loaded, fitted(family, task).predict(rows), err_msg=f"{family.name} {task}")


_MEASURE_THREADS = """
import sys, time
import numpy as np
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.records.vocabulary import Task

family = FAMILIES.get(sys.argv[1])
task = Task(sys.argv[2])
rng = np.random.default_rng(0)
features = rng.normal(size=(4000, 20)).astype(np.float32)

def rows(a, b):
    return TrainingRows(features=features[a:b], labels=(features[a:b, 0] > 0).astype(np.float32),
                        symbol=np.zeros(b - a, np.int32), time=np.arange(a, b, dtype=np.int32),
                        usable_from=np.arange(a + 1, b + 1, dtype=np.int32),
                        feature_names=("f",) * 20)

context = FitContext(task=task, n_classes=2, seed=0, threads=1, hyperparameters=family.resolve({}))
family().fit(rows(0, 600), rows(600, 700), context=context)  # loads the libraries
everything, own = time.process_time(), time.thread_time()
family().fit(rows(0, 3000), rows(3000, 4000), context=context).predict(rows(0, 4000), threads=1)
everything, own = time.process_time() - everything, time.thread_time() - own
print((everything - own) / everything)
"""


@pytest.mark.slow
@every_family
def test_computes_on_no_more_threads_than_it_is_given(family: type[Family]) -> None:
    free = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", _MEASURE_THREADS, family.name, min(family.tasks - {Task.MULTICLASS})]
    share_of_other_threads = float(subprocess.run(command, check=True, capture_output=True, env=free).stdout)
    assert share_of_other_threads < 0.1


def test_looking_at_the_families_imports_none_of_their_libraries() -> None:
    look = "from trainroute.families import FAMILIES; FAMILIES.members()"
    tell = "import json, sys; print(json.dumps([*sys.modules]))"
    found = subprocess.run([sys.executable, "-c", f"{look}; {tell}"], check=True, capture_output=True)
    loaded = {name.split(".")[0] for name in json.loads(found.stdout)}
    heavy = {"lightgbm", "xgboost", "sklearn", "scipy", "torch", "keras", "tensorflow", "pyarrow", "pandas"}
    assert not loaded & heavy
