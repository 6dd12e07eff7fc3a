"""The TRAINING names: what can be imported, from where, with which arguments (SPEC section 1)."""

import importlib
import inspect
import subprocess
import sys

import pytest

import trainroute

NAMES = {
    "TRAINING.orchestration.intelligent_trainer": ["IntelligentTrainer"],
    "TRAINING.orchestration.metrics_aggregator": ["MetricsAggregator"],
    "TRAINING.orchestration.training_router": [
        *("TrainingRouter", "RouteState", "SignalState", "StabilityCategory", "LeakageStatus"),
    ],
    "TRAINING.orchestration.training_plan_generator": ["TrainingPlanGenerator", "TrainingJob"],
    "TRAINING.orchestration.training_plan_consumer": [
        *("load_training_plan", "get_cs_jobs", "get_symbol_jobs", "get_jobs_for_target", "get_jobs_for_symbol"),
        *("get_model_families_for_job", "filter_targets_by_training_plan", "filter_symbols_by_training_plan"),
        *("apply_training_plan_filter", "validate_training_plan", "get_training_plan_summary"),
    ],
    "TRAINING.orchestration.training_plan_utils": ["print_training_plan_summary", "compare_training_plans"],
    "TRAINING.orchestration.routing_integration": [
        *("generate_routing_plan_after_feature_selection", "load_routing_plan"),
    ],
    "TRAINING.training_strategies": ["train_models_for_interval_comprehensive"],
}
CONSUMER = "TRAINING.orchestration.training_plan_consumer"
SIGNATURES = {
    (CONSUMER, "get_cs_jobs"): "plan",
    (CONSUMER, "get_symbol_jobs"): "plan",
    (CONSUMER, "get_jobs_for_target"): "plan, target",
    (CONSUMER, "get_jobs_for_symbol"): "plan, symbol",
    (CONSUMER, "get_model_families_for_job"): "plan, target, symbol, training_type",
    (CONSUMER, "filter_targets_by_training_plan"): "targets, training_plan, training_type='cross_sectional'",
    (CONSUMER, "filter_symbols_by_training_plan"): "target, symbols, training_plan",
    (CONSUMER, "apply_training_plan_filter"): (
        "targets, symbols, training_plan_dir, use_cs_plan=True, use_symbol_plan=True"
    ),
    ("TRAINING.orchestration.training_plan_utils", "print_training_plan_summary"): "path",
    ("TRAINING.orchestration.training_plan_utils", "compare_training_plans"): "a, b",
    ("TRAINING.orchestration.routing_integration", "generate_routing_plan_after_feature_selection"): (
        "output_dir, targets, symbols, routing_config_path=None, generate_training_plan=True, model_families=None"
    ),
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_name_is_there(module: str, name: str) -> None:
    found = importlib.import_module(module)
    assert name in found.__all__
    assert getattr(found, name).__doc__


@pytest.mark.parametrize(("module", "name"), SIGNATURES)
def test_signature_is_the_contract(module: str, name: str) -> None:
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    assert ", ".join(shown) == SIGNATURES[module, name]


def test_the_trainer_takes_its_three_arguments_by_place_and_by_name() -> None:
    trainer = importlib.import_module("TRAINING.orchestration.intelligent_trainer").IntelligentTrainer
    by_place, by_name = trainer("d", ["A"], "o"), trainer(data_dir="d", symbols=["A"], output_dir="o")
    assert vars(by_place) == vars(by_name)
    taken = inspect.signature(trainer.train_with_intelligence).parameters
    assert {"auto_targets", "top_n_targets", "auto_features", "top_m_features"} <= taken.keys()


def test_families_may_be_given_per_target() -> None:
    train = importlib.import_module("TRAINING.training_strategies").train_models_for_interval_comprehensive
    assert "target_families" in inspect.signature(train).parameters


def test_trainers_of_these_names_train_all_families_by_default() -> None:
    face = importlib.import_module("TRAINING.orchestration.intelligent_trainer").IntelligentTrainer
    assert issubclass(face, trainroute.IntelligentTrainer)
    assert (face.default_model_types, trainroute.IntelligentTrainer.default_model_types) == ("sequential", "standard")


def test_an_unknown_name_is_an_attribute_error() -> None:
    package = importlib.import_module("TRAINING.training_strategies")
    with pytest.raises(AttributeError, match="no attribute 'train_everything'"):
        package.train_everything  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    "module", ["TRAINING.orchestration.intelligent_trainer", "TRAINING.training_strategies.main", "trainroute"]
)
def test_help_by_dash_m_is_quiet(module: str) -> None:
    command = [sys.executable, "-W", "error", "-m", module, "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: " in ended.stdout
