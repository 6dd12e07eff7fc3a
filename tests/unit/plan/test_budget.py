"""A budget keeps what is worth most per cost, never exceeds itself, and names what it leaves out."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.config import Config
from trainroute.errors import UsageError
from trainroute.plan import Budget, build_training_plan, validate_plan
from trainroute.plan.budget import kept_within
from trainroute.records.plan import FeatureSet, TrainingPlan
from trainroute.records.routing import RoutingPlan

Within = Callable[..., TrainingPlan]


@pytest.fixture
def within(routing: RoutingPlan) -> Within:
    """Build the training plan of the routing plan within a budget."""

    def run(**limits: Any) -> TrainingPlan:
        return build_training_plan(
            routing,
            config_of(routing),
            families=("LightGBM", "XGBoost", "Ensemble"),
            feature_sets={"fs_y": FeatureSet(features=("f1", "f2"))},
            data_fingerprint="data",
            run_id="run",
            generated_at="2024",
            git_commit=None,
            routing_plan_path="x",
            budget=Budget(**limits),
        )

    return run


def config_of(routing: RoutingPlan) -> Config:
    return Config(routing=routing.routing, planning=routing.planning)


def test_without_a_limit_nothing_changes(within: Within, plan: TrainingPlan) -> None:
    free = within()
    assert (free.jobs, free.summary, free.metadata.plan_id) == (plan.jobs, plan.summary, plan.metadata.plan_id)
    roomy = within(max_jobs=len(plan.jobs), max_cost_seconds=1e9)
    assert roomy.jobs == plan.jobs
    assert roomy.metadata.plan_id == plan.metadata.plan_id
    assert roomy.summary.budget is not None
    assert roomy.summary.budget.left_out == ()


def test_each_number_of_jobs_is_kept_and_the_rest_is_named(
    within: Within, plan: TrainingPlan, routing: RoutingPlan
) -> None:
    ids = {job.job_id for job in plan.jobs}
    kept_before: set[str] = set()
    for most in range(1, len(ids) + 1):
        limited = within(max_jobs=most)
        kept = {job.job_id for job in limited.jobs}
        report = limited.summary.budget
        assert report is not None
        assert len(kept) == limited.metadata.total_jobs == most
        assert kept_before <= kept
        assert kept | {job.job_id for job in report.left_out} == ids
        assert all(f"--max-jobs {most} is reached" in job.reason for job in report.left_out)
        assert validate_plan(limited, routing=routing) == []
        kept_before = kept


def test_the_cost_is_never_exceeded_and_what_is_left_would_not_fit(within: Within, plan: TrainingPlan) -> None:
    costs = {job.job_id: job.metadata.estimated_cost_seconds for job in plan.jobs}
    total = sum(costs.values())
    for part in (0.001, 0.1, 0.3, 0.5, 0.8, 1.0):
        limited = within(max_cost_seconds=total * part + 0.001)
        spent = sum(costs[job.job_id] for job in limited.jobs)
        report = limited.summary.budget
        assert report is not None
        assert spent <= total * part + 0.002
        assert report.cost_kept_seconds == pytest.approx(spent, abs=0.01)
        assert all(spent + job.cost_seconds > total * part for job in report.left_out)


def _jobs(seed: int) -> pl.DataFrame:
    rng = random.Random(seed)
    rows = []
    for n in range(rng.randint(1, 25)):
        pooled = rng.random() < 0.3
        served = [f"S{k}" for k in range(rng.randint(1, 6))] if pooled else []
        rows.append(
            {
                "job_id": f"job{n:02d}",
                "target": f"y{n}",
                "symbol": None if pooled else f"S{n}",
                "route": rng.choice(["ROUTE_BOTH", "ROUTE_SYMBOL_SPECIFIC"]),
                "priority": rng.choice([100, 300]),
                "cs_score": rng.choice([None, 0.5, 0.52, 0.6]),
                "local_score": rng.choice([None, 0.45, 0.55, 0.6]),
                "symbols": served,
                "both_symbols": served[:2],
                "reason": "because",
                "model_families": rng.choice([[], ["LightGBM"], ["LightGBM", "XGBoost"]]),
                "estimated_cost_seconds": rng.choice([0.0, 0.5, 1.0, 7.0]),
                "cs_job_id": None,
                "blend_weight": None,
            }
        )
    text = dict.fromkeys(("symbol", "cs_job_id"), pl.String)
    lists = {name: pl.List(pl.String) for name in ("symbols", "both_symbols", "model_families")}
    return pl.DataFrame(rows, schema_overrides={**text, **lists, "blend_weight": pl.Float64})


def _slow_value(job: dict[str, Any]) -> float:
    if not job["model_families"]:
        return 0.0
    pooled, local = (max((job[name] or 0.0) - 0.5, 0.0) for name in ("cs_score", "local_score"))
    if job["symbol"] is None:
        return pooled * len(job["symbols"])
    return max(local - pooled, 0.0) if job["route"] == "ROUTE_BOTH" else local


@pytest.mark.parametrize("seed", range(60))
def test_jobs_are_kept_as_by_a_slow_walk_down_the_list(seed: int) -> None:
    jobs, rng = _jobs(seed), random.Random(seed)
    budget = Budget(max_jobs=rng.choice([None, 1, 4]), max_cost_seconds=rng.choice([None, 0.7, 6.5, 20.0]))
    kept, report = kept_within(jobs.sample(fraction=1.0, shuffle=True, seed=seed), budget)
    rows = list(jobs.iter_rows(named=True))
    ratio = {row["job_id"]: round(_slow_value(row), 6) / max(row["estimated_cost_seconds"], 0.001) for row in rows}
    rows.sort(key=lambda row: (-ratio[row["job_id"]], -row["priority"], row["job_id"]))
    expected, spent = [], 0.0
    for row in rows:
        many = budget.max_jobs is not None and len(expected) >= budget.max_jobs
        cost = row["estimated_cost_seconds"]
        dear = budget.max_cost_seconds is not None and spent + cost > budget.max_cost_seconds + 1e-6
        if not (many or dear):
            expected.append(row["job_id"])
            spent += cost
    assert sorted(kept["job_id"]) == sorted(expected)
    assert len(report.left_out) + kept.height == jobs.height
    assert report.cost_kept_seconds == pytest.approx(spent, abs=0.001)


def test_a_both_symbol_without_its_pooled_job_stands_alone(within: Within, plan: TrainingPlan) -> None:
    seconds = {("cs_pooled", family): 1e6 for family in ("LightGBM", "XGBoost", "Ensemble")}
    limited = within(max_cost_seconds=1e5, seconds=seconds)
    jobs = {job.job_id: job for job in limited.jobs}
    assert "cs_pooled" not in jobs
    assert (jobs["sym_pooled_BOTH"].metadata.cs_job_id, jobs["sym_pooled_BOTH"].metadata.blend_weight) == (None, None)
    own = next(job for job in plan.jobs if job.job_id == "sym_pooled_BOTH")
    assert own.metadata.cs_job_id == "cs_pooled"
    report = limited.summary.budget
    assert report is not None
    assert report.cost_source == "ledger"
    assert report.left_out[-1].cost_seconds == 3e6
    assert "of --max-cost 100000 are left" in report.left_out[-1].reason


def test_a_pool_lists_as_both_only_symbols_whose_own_job_is_planned(
    within: Within, plan: TrainingPlan, routing: RoutingPlan
) -> None:
    """The pool goes on serving a BOTH symbol whose own model is left out, alone."""
    seconds = {("sym_pooled_BOTH", family): 1e6 for family in ("LightGBM", "XGBoost", "Ensemble")}
    limited = within(max_cost_seconds=1e5, seconds=seconds)
    jobs = {job.job_id: job for job in limited.jobs}
    whole = next(job for job in plan.jobs if job.job_id == "cs_pooled")
    pooled = jobs["cs_pooled"]
    assert "sym_pooled_BOTH" not in jobs
    assert (whole.metadata.both_symbols, pooled.metadata.both_symbols) == (("BOTH",), ())
    assert pooled.metadata.symbols == whole.metadata.symbols
    assert pooled.metadata.training_symbols == whole.metadata.training_symbols
    assert pooled.reason == f"{whole.reason}; the budget leaves out the models of 1 of these"
    assert validate_plan(limited, routing=routing) == []
    wrong = msgspec.structs.replace(pooled, metadata=msgspec.structs.replace(pooled.metadata, both_symbols=("BOTH",)))
    edited = msgspec.structs.replace(limited, jobs=(wrong, *(job for job in limited.jobs if job is not pooled)))
    assert [problem.message for problem in validate_plan(edited, routing=routing)] == [
        "both_symbols are not what was decided in job cs_pooled"
    ]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_jobs": 0}, "--max-jobs must be at least 1, got 0"),
        ({"max_cost_seconds": 0.0}, "--max-cost must be a positive number"),
        ({"max_cost_seconds": float("nan")}, "--max-cost must be a positive number"),
    ],
)
def test_limits_must_be_positive(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Budget(**limits)


def test_what_just_fits_is_kept() -> None:
    """Three tenths add up to a little more than 0.3 in floating point."""
    jobs = _jobs(1).head(3).with_columns(estimated_cost_seconds=pl.lit(0.1))
    assert kept_within(jobs, Budget(max_cost_seconds=0.3))[0].height == jobs.height == 3
    assert kept_within(jobs, Budget(max_cost_seconds=0.299))[0].height == 2


def test_a_job_of_which_the_ledger_knows_a_part_costs_what_the_formula_says() -> None:
    jobs = (
        _jobs(1)
        .head(1)
        .with_columns(
            estimated_cost_seconds=pl.lit(7.0), model_families=pl.lit(["LightGBM", "XGBoost"], pl.List(pl.String))
        )
    )
    job = jobs["job_id"].item()
    for seconds, cost in (({(job, "LightGBM"): 2.0}, 7.0), ({(job, "LightGBM"): 2.0, (job, "XGBoost"): 3.0}, 5.0)):
        assert kept_within(jobs, Budget(max_jobs=9, seconds=seconds))[1].cost_asked_seconds == cost
