"""What every family must do in a process of its own; families of one library share one, as in training."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from trainroute.families import FAMILIES, Family, FitContext, TrainingRows
from trainroute.records.vocabulary import Stage, Task

MakeRows = Callable[..., TrainingRows]

LIBRARIES = sorted({family.gpu_library or "none" for family in FAMILIES.members()})
GPU_LIBRARIES = {"torch", "keras", "tensorflow", "jax"}
every_library = pytest.mark.parametrize("library", LIBRARIES)


def _families(library: str) -> list[type[Family]]:
    return [family for family in FAMILIES.members() if (family.gpu_library or "none") == library]


_LOAD = """
import sys
from pathlib import Path
import numpy as np
from trainroute.families import FAMILIES, Rows

root = Path(sys.argv[1])
features = np.load(root / "features.npy")
names = tuple(f"f{i}" for i in range(features.shape[1]))
symbol, time = np.load(root / "symbol.npy"), np.load(root / "time.npy")
rows = Rows(features=features, symbol=symbol, time=time, feature_names=names)
for folder in sorted(path for path in root.iterdir() if path.is_dir()):
    model = FAMILIES.get(folder.name.split("-")[0])().load(folder)
    np.save(root / f"{folder.name}.npy", model.predict(rows))
"""


@pytest.mark.slow
@every_library
def test_a_fresh_process_predicts_the_same_from_the_saved_files(
    library: str, make_rows: MakeRows, make_short_context: Callable[..., FitContext], tmp_path: Path
) -> None:
    rows = make_rows(Task.BINARY, 300, seed=8, missing=0.1)
    for name in ("features", "symbol", "time"):
        np.save(tmp_path / f"{name}.npy", getattr(rows, name))
    expected = {}
    cases = [(family, task) for family in _families(library) for task in sorted(family.tasks)]
    for family, task in cases:
        folder = tmp_path / f"{family.name}-{task}"
        folder.mkdir()
        train, validation = make_rows(task, 600, seed=1), make_rows(task, 100, seed=2)
        model = family().fit(train, validation, context=make_short_context(family, task))
        model.save(folder)
        expected[folder.name] = model.predict(rows)
        for file in folder.iterdir():
            assert not file.read_bytes().startswith(b"\x80"), f"{file.name} looks like a pickle"
    subprocess.run([sys.executable, "-c", _LOAD, str(tmp_path)], check=True)
    for name, prediction in expected.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), prediction, err_msg=name)


_MEASURE = """
import json, sys, time
import numpy as np
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.records.vocabulary import Task

rng = np.random.default_rng(0)
features = rng.normal(size=(4000, 20)).astype(np.float32)

def rows(a, b):
    return TrainingRows(features=features[a:b], labels=(features[a:b, 0] > 0).astype(np.float32),
                        symbol=np.zeros(b - a, np.int32), time=np.arange(a, b, dtype=np.int32),
                        usable_from=np.arange(a + 1, b + 1, dtype=np.int32),
                        feature_names=tuple(map(str, range(20))))

shares = {}
for name in sys.argv[1:]:
    family = FAMILIES.get(name)
    short = {"epochs": 4, "gan_steps": 40, "rounds": 40}
    short = {key: value for key, value in short.items() if key in family.hyperparameters}
    context = FitContext(task=min(family.tasks - {Task.MULTICLASS}), n_classes=2, seed=0, threads=1,
                         hyperparameters=family.resolve(short))
    family().fit(rows(0, 600), rows(600, 700), context=context)  # loads the libraries
    everything, own = time.process_time(), time.thread_time()
    family().fit(rows(0, 1500), rows(1500, 2000), context=context).predict(rows(0, 4000), threads=1)
    everything, own = time.process_time() - everything, time.thread_time() - own
    shares[name] = (everything - own) / everything
print(json.dumps({"shares": shares, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


@cache
def _measured(library: str) -> dict[str, dict]:
    free = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", _MEASURE, *(family.name for family in _families(library))]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=free).stdout
    return dict(json.loads(found.splitlines()[-1]))


@pytest.mark.slow
@every_library
def test_computes_on_no_more_threads_than_it_is_given(library: str) -> None:
    share_of_other_threads = _measured(library)["shares"]
    assert share_of_other_threads.keys() == {family.name for family in _families(library)}
    assert {name: share for name, share in share_of_other_threads.items() if share >= 0.1} == {}


@pytest.mark.slow
def test_no_family_of_the_cpu_stage_imports_a_gpu_library() -> None:
    assert all(family.stage is Stage.CPU for family in _families("none"))
    assert not GPU_LIBRARIES.intersection(_measured("none")["modules"])


@pytest.mark.slow
def test_families_of_torch_import_no_other_gpu_library() -> None:
    assert GPU_LIBRARIES.intersection(_measured("torch")["modules"]) == {"torch"}


def test_looking_at_the_families_imports_none_of_their_libraries() -> None:
    look = "from trainroute.families import FAMILIES; FAMILIES.members()"
    tell = "import json, sys; print(json.dumps([*sys.modules]))"
    found = subprocess.run([sys.executable, "-c", f"{look}; {tell}"], check=True, capture_output=True)
    loaded = {name.split(".")[0] for name in json.loads(found.stdout)}
    heavy = {"lightgbm", "xgboost", "ngboost", "ruptures", "sklearn", "scipy", "pyarrow", "pandas"}
    assert not loaded & (heavy | GPU_LIBRARIES)
