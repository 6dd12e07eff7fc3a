"""The TRAINING names on a real, small measurement: each gives the answer that its name promises."""

from pathlib import Path

import polars as pl
import pytest

from TRAINING.orchestration.metrics_aggregator import MetricsAggregator
from TRAINING.orchestration.routing_integration import generate_routing_plan_after_feature_selection, load_routing_plan
from TRAINING.orchestration.training_plan_consumer import (
    apply_training_plan_filter,
    filter_symbols_by_training_plan,
    filter_targets_by_training_plan,
    get_cs_jobs,
    get_jobs_for_symbol,
    get_jobs_for_target,
    get_model_families_for_job,
    get_symbol_jobs,
    get_training_plan_summary,
    load_training_plan,
    validate_training_plan,
)
from TRAINING.orchestration.training_plan_generator import TrainingJob, TrainingPlanGenerator
from TRAINING.orchestration.training_plan_utils import compare_training_plans, print_training_plan_summary
from TRAINING.orchestration.training_router import RouteState, SignalState, TrainingRouter
from TRAINING.training_strategies import train_models_for_interval_comprehensive
from trainroute import pipeline
from trainroute.errors import BrokenPlanError, CandidatesError, PlanNotFoundError, UnknownNameError, UsageError
from trainroute.panel.sample import write_sample

pytestmark = pytest.mark.slow

SYMBOLS = ["AAPL", "JPM", "MSFT"]
ROUTED = "y_will_swing_low_10d_1.00"
TARGETS = [ROUTED, "y_up_5d"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("sample") / "data"
    write_sample(data)
    return data


@pytest.fixture(scope="module")
def output(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that skipped training has written."""
    output = tmp_path_factory.mktemp("run") / "results"
    pipeline.run(data, symbols=SYMBOLS, targets=TARGETS, output_dir=output, skip_training=True)
    return output


@pytest.fixture(scope="module")
def plan_dir(output: Path) -> Path:
    return output / "globals/training_plan"


def test_a_plan_is_typed_and_reads_as_a_mapping(plan_dir: Path) -> None:
    plan = load_training_plan(plan_dir)
    assert all(isinstance(job, TrainingJob) for job in plan["jobs"])
    assert plan["metadata"]["total_jobs"] == len(plan["jobs"]) > 0
    assert plan["jobs"][0]["target"] == plan.jobs[0].target
    with pytest.raises(KeyError):
        plan["absent"]


def test_an_absent_or_broken_plan_raises(plan_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanNotFoundError):
        load_training_plan(tmp_path / "absent")
    (tmp_path / "master_training_plan.json").write_text("{}")
    with pytest.raises(BrokenPlanError):
        load_training_plan(tmp_path)
    with pytest.raises(BrokenPlanError):
        apply_training_plan_filter(TARGETS, SYMBOLS, tmp_path)


def test_queries_split_the_jobs(plan_dir: Path) -> None:
    plan = load_training_plan(plan_dir)
    pooled, own = get_cs_jobs(plan), get_symbol_jobs(plan)
    assert sorted(job.job_id for job in pooled + own) == sorted(job.job_id for job in plan.jobs)
    assert all(job.symbol is None for job in pooled)
    assert get_jobs_for_target(plan, ROUTED) == list(plan.jobs)
    assert get_jobs_for_target(plan, "y_up_5d") == []
    assert get_jobs_for_symbol(plan, "JPM") == [job for job in own if job.symbol == "JPM"]
    families = get_model_families_for_job(plan, ROUTED, None, "cross_sectional")
    assert families == list(pooled[0].model_families)
    assert get_model_families_for_job(plan, "y_up_5d", None, "cross_sectional") == []


def test_filters_never_widen(plan_dir: Path) -> None:
    plan = load_training_plan(plan_dir)
    planned = [job.symbol for job in get_symbol_jobs(plan)]
    assert filter_targets_by_training_plan(TARGETS, plan) == [ROUTED]
    assert filter_targets_by_training_plan(["y_up_5d"], plan) == []
    assert filter_symbols_by_training_plan(ROUTED, SYMBOLS, plan) == [s for s in SYMBOLS if s in planned]
    assert filter_symbols_by_training_plan("y_up_5d", SYMBOLS, plan) == []
    targets, symbols = apply_training_plan_filter(TARGETS, SYMBOLS, plan_dir)
    assert targets == [ROUTED]
    assert symbols["y_up_5d"] == []


def test_a_plan_is_validated_in_memory_and_on_disk(plan_dir: Path) -> None:
    assert validate_training_plan(load_training_plan(plan_dir)) == (True, [])
    assert validate_training_plan(plan_dir) == (True, [])


def test_summary_is_counted_and_printed(plan_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = load_training_plan(plan_dir)
    summary = get_training_plan_summary(plan)
    assert summary["total_cs_jobs"] + summary["total_symbol_jobs"] == len(plan.jobs)
    print_training_plan_summary(plan_dir)
    printed = capsys.readouterr().out
    assert plan.metadata.plan_id in printed
    assert plan.jobs[0].job_id in printed


def test_router_and_generator_repeat_the_run(output: Path, tmp_path: Path) -> None:
    candidates = MetricsAggregator(output).aggregate_routing_candidates(TARGETS, SYMBOLS)
    router = TrainingRouter()
    routing = router.route(candidates)
    assert routing.plan_id == load_routing_plan(output / "METRICS/routing_plan").plan_id
    assert router.route(candidates.frame.sample(fraction=1.0, shuffle=True, seed=3)).plan_id == routing.plan_id
    written = router.generate_routing_plan(candidates, tmp_path / "METRICS/routing_plan")
    assert load_routing_plan(tmp_path / "METRICS/routing_plan").plan_id == written.plan_id == routing.plan_id
    plan = TrainingPlanGenerator(routing, ["lightgbm"]).generate_training_plan(tmp_path / "globals/training_plan")
    assert load_training_plan(tmp_path / "globals/training_plan") == plan
    assert {family for job in plan.jobs for family in job.model_families} == {"LightGBM"}
    assert {RouteState(job.route) for job in plan.jobs} <= set(RouteState)
    assert routing.cross_sectional(ROUTED).state in set(SignalState)


def test_settings_may_be_the_content_of_a_config_file(output: Path) -> None:
    candidates = MetricsAggregator(output).aggregate_routing_candidates(TARGETS, SYMBOLS)
    strict = {"routing": {"min_sample_size": {"cross_sectional": 10**9, "symbol": 10**9}}}
    counts = TrainingRouter(strict).route(candidates).route_counts()
    assert counts[RouteState.ROUTE_BLOCKED] == 6


def test_aggregator_refuses_what_was_not_measured(output: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="y_up_9d"):
        MetricsAggregator(output).aggregate_routing_candidates(["y_up_9d"], SYMBOLS)
    with pytest.raises(CandidatesError, match="trainroute run"):
        MetricsAggregator(tmp_path).aggregate_routing_candidates(TARGETS, SYMBOLS)


def test_plans_are_compared_to_a_plain_dict(output: Path, plan_dir: Path, tmp_path: Path) -> None:
    candidates = MetricsAggregator(output).aggregate_routing_candidates(TARGETS, SYMBOLS)
    routing = TrainingRouter().route(candidates)
    TrainingPlanGenerator(routing, ["XGBoost"]).generate_training_plan(tmp_path / "globals/training_plan")
    same = compare_training_plans(plan_dir, plan_dir)
    assert (same["added_jobs"], same["removed_jobs"], same["changed_jobs"]) == ([], [], [])
    other = compare_training_plans(plan_dir, tmp_path / "globals/training_plan")
    assert type(other) is dict
    assert other["changed_jobs"] == sorted(job.job_id for job in load_training_plan(plan_dir).jobs)
    change = other["changes"][f"cs_{ROUTED}"]["model_families"]
    assert change == {"before": ["LightGBM", "XGBoost", "Ensemble"], "after": ["XGBoost"]}
    assert other["common_jobs"] == other["plan1_total"] == other["plan2_total"]


def test_routing_after_feature_selection_writes_both_plans(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    pipeline.run(data, symbols=SYMBOLS, targets=TARGETS, output_dir=output, skip_training=True)
    routing = generate_routing_plan_after_feature_selection(
        output, [ROUTED], ["AAPL", "JPM"], model_families=["lightgbm"]
    )
    assert (routing.targets, routing.symbols) == ((ROUTED,), ("AAPL", "JPM"))
    plan = load_training_plan(output / "globals/training_plan")
    assert plan.metadata.routing_plan_id == routing.plan_id
    assert {job.metadata.feature_set_id for job in plan.jobs} == set(plan.feature_sets)
    assert validate_training_plan(output / "globals/training_plan") == (True, [])
    before = (output / "globals/training_plan/master_training_plan.json").read_bytes()
    generate_routing_plan_after_feature_selection(output, [ROUTED], ["AAPL"], generate_training_plan=False)
    assert (output / "globals/training_plan/master_training_plan.json").read_bytes() == before


def test_training_on_frames_uses_each_targets_own_families(data: Path, tmp_path: Path) -> None:
    frames = {symbol: pl.read_parquet(data / f"symbol={symbol}/{symbol}.parquet") for symbol in ("AAPL", "JPM")}
    frames = {symbol: frame.select("ts", "^(ret|vol).*$", *TARGETS).tail(1500) for symbol, frame in frames.items()}
    features = [name for name in frames["AAPL"].columns if name not in {"ts", *TARGETS}]
    outcome = train_models_for_interval_comprehensive(
        "1d", TARGETS, frames, families=["LightGBM"], output_dir=tmp_path,
        target_families={"y_up_5d": ["xgboost"]}, target_features={"y_up_5d": features[:2]},
    )  # fmt: skip
    done = {(row.target, row.family) for row in outcome.results if row.state == "done"}
    assert done == {(ROUTED, "LightGBM"), ("y_up_5d", "XGBoost")}
    assert (tmp_path / "models/cs_y_up_5d/XGBoost/manifest.json").is_file()
    with pytest.raises(UsageError, match="y_down_5d"):
        train_models_for_interval_comprehensive("1d", TARGETS, frames, target_families={"y_down_5d": ["xgboost"]})
