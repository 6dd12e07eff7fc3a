"""The names that users import, pinned; and what importing them costs."""

import subprocess
import sys
from importlib import import_module

import pytest

import trainroute

PUBLIC = [
    "Config",
    "IntelligentTrainer",
    "Panel",
    "Predictions",
    "RoutingPlan",
    "RunResult",
    "TrainingJob",
    "TrainingPlan",
    "TrainrouteError",
    "__version__",
    "compare_plans",
    "explain",
    "load_config",
    "load_panel",
    "load_training_plan",
    "predict",
    "validate_plan",
]

HEAVY = {"lightgbm", "numpy", "pandas", "polars", "pyarrow", "pydantic", "scipy", "sklearn", "torch", "xgboost", "yaml"}
LAZY = HEAVY - {"numpy", "polars", "pydantic", "yaml"}
PACKAGES = [
    "trainroute",
    *(f"trainroute.{name}" for name in ("evaluate", "panel", "plan", "route", "stages", "train")),
]


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


def test_public_names_are_these() -> None:
    assert sorted(trainroute.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(trainroute, name).__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train_everything'"):
        trainroute.train_everything  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    "statement",
    [
        "import trainroute",
        "import TRAINING, TRAINING.orchestration, TRAINING.training_strategies",
        "from trainroute.cli import main",
        "from trainroute.cli.app import build_app; build_app()",
    ],
)
def test_importing_is_light(statement: str) -> None:
    assert not _modules_after(statement) & HEAVY


@pytest.mark.parametrize("package", PACKAGES)
def test_each_name_of_a_package_is_found_when_it_is_asked_for(package: str) -> None:
    module = import_module(package)
    for name, home in module._HOMES.items():
        assert getattr(module, name) is getattr(import_module(home), name)
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module._HOMES) <= set(module.__all__)


@pytest.mark.parametrize("statement", ["import trainroute.pipeline", "import trainroute.families, trainroute.train"])
def test_what_measures_and_trains_is_imported_where_it_is_used(statement: str) -> None:
    assert not _modules_after(statement) & LAZY
