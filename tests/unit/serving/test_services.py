"""Who answers for a pair: every route, every choice of weights, with and without the other side."""

from typing import Any

import pytest

from trainroute.records.plan import (
    BudgetReport,
    JobMetadata,
    LeftOutJob,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.vocabulary import RouteState, TrainingType
from trainroute.serving import Decision, Service, find_services

CS, OWN, BOTH = RouteState.ROUTE_CROSS_SECTIONAL, RouteState.ROUTE_SYMBOL_SPECIFIC, RouteState.ROUTE_BOTH
LANE, BLOCKED = RouteState.ROUTE_EXPERIMENTAL_ONLY, RouteState.ROUTE_BLOCKED
SYMBOLS = ("A", "B", "C", "D", "E")


def _job(symbol: str | None, route: RouteState, target: str = "y", **metadata: Any) -> TrainingJob:
    return TrainingJob(
        job_id=f"cs_{target}" if symbol is None else f"sym_{target}_{symbol}",
        target=target,
        symbol=symbol,
        route=route,
        training_type=TrainingType.CROSS_SECTIONAL if symbol is None else TrainingType.SYMBOL_SPECIFIC,
        model_families=("LightGBM",),
        priority=1,
        reason="",
        metadata=JobMetadata(**metadata),
    )


def _plan(*jobs: TrainingJob, budget: BudgetReport | None = None) -> TrainingPlan:
    texts = ("generated_at", "run_id", "config_hash", "routing_plan_path", "routing_plan_id", "metrics_snapshot")
    metadata = TrainingPlanMetadata(
        **dict.fromkeys((*texts, "code_version"), ""),
        schema_version=1,
        git_commit=None,
        data_fingerprint=None,
        symbols=SYMBOLS,
        targets=("y",),
        total_jobs=len(jobs),
        model_families=("LightGBM",),
        plan_id="p",
    )
    summary = TrainingPlanSummary(
        by_route={},
        by_type={},
        by_priority={},
        total_cs_jobs=0,
        total_symbol_jobs=0,
        total_blocked=0,
        budget=budget,
    )
    return TrainingPlan(metadata=metadata, feature_sets={}, jobs=jobs, summary=summary)


PLAN = _plan(
    _job(None, CS, symbols=("A", "B"), both_symbols=("A",)),
    _job("A", BOTH, blend_weight=0.7),
    _job("C", OWN),
    _job("D", LANE),
)
DECIDED = {"E": Decision(route=BLOCKED, reason="too few rows")}


def _found(
    plan: TrainingPlan = PLAN, symbols: tuple[str, ...] = (*SYMBOLS, "NEW"), **options: Any
) -> dict[str, Service]:
    options = {"weights": "plan", "unseen": "cs", "decisions": lambda _: DECIDED, **options}
    return find_services(plan, ["y"], symbols, **options)["y"]


def _jobs(service: Service) -> list[tuple[str, float]]:
    return [(job.job_id, pytest.approx(weight)) for job, weight in service.jobs]


def test_every_route() -> None:
    found = _found()
    assert {symbol: (service.route, _jobs(service)) for symbol, service in found.items()} == {
        "A": (BOTH, [("cs_y", 0.3), ("sym_y_A", 0.7)]),
        "B": (CS, [("cs_y", 1.0)]),
        "C": (OWN, [("sym_y_C", 1.0)]),
        "D": (LANE, [("sym_y_D", 1.0)]),
        "E": (BLOCKED, []),
        "NEW": (CS, [("cs_y", 1.0)]),
    }
    reasons = {symbol: service.reason for symbol, service in found.items() if service.reason is not None}
    assert reasons == {"E": "too few rows", "NEW": "not in the plan: the pooled model answers"}


@pytest.mark.parametrize(
    ("weights", "jobs"),
    [
        ("evaluated", [("cs_y", 0.3), ("sym_y_A", 0.7)]),
        ("equal", [("cs_y", 0.5), ("sym_y_A", 0.5)]),
        ("cs", [("cs_y", 1.0)]),
        ("local", [("sym_y_A", 1.0)]),
    ],
)
def test_weights_are_about_pairs_with_both_models_only(weights: str, jobs: list[tuple[str, float]]) -> None:
    found, planned = _found(weights=weights), _found()
    assert _jobs(found["A"]) == jobs
    assert {symbol: found[symbol] for symbol in "BCDE"} == {symbol: planned[symbol] for symbol in "BCDE"}


def test_a_blend_without_a_weight_is_equal() -> None:
    plan = _plan(_job(None, CS, symbols=("A",), both_symbols=("A",)), _job("A", BOTH))
    assert _jobs(_found(plan)["A"]) == [("cs_y", 0.5), ("sym_y_A", 0.5)]


@pytest.mark.parametrize(
    ("plan", "answers", "reason"),
    [
        (_plan(_job("A", BOTH, blend_weight=0.7)), "sym_y_A", "the plan has no pooled job beside it"),
        (_plan(_job(None, CS, symbols=("A",), both_symbols=("A",))), "cs_y", "the plan has no local job beside it"),
    ],
)
def test_one_of_two_sides_answers_alone_and_says_so(plan: TrainingPlan, answers: str, reason: str) -> None:
    found = _found(plan)["A"]
    assert (_jobs(found), found.route, found.reason) == ([(answers, 1.0)], BOTH, reason)


def test_unseen_symbols() -> None:
    assert _found(unseen="refuse")["NEW"] == Service(route=None, reason="not in the plan; --unseen refuse")
    without_pool = _found(_plan(_job("C", OWN)))["NEW"]
    assert without_pool == Service(route=None, reason="not in the plan, and the target has no pooled model")
    lane = _found(_plan(_job(None, LANE, symbols=("A",))))["NEW"]
    assert (lane.route, _jobs(lane)) == (LANE, [("cs_y", 1.0)])


def test_what_the_budget_left_out_says_so() -> None:
    left = LeftOutJob(job_id="sym_y_E", target="y", symbol="E", value=0.1, cost_seconds=9.0, reason="over --max-jobs 1")
    budget = BudgetReport(
        max_jobs=1,
        max_cost_seconds=None,
        cost_source="formula",
        jobs_asked=2,
        cost_asked_seconds=2.0,
        cost_kept_seconds=1.0,
        left_out=(left,),
    )
    found = _found(_plan(budget=budget), decisions=lambda _: {"E": Decision(route=OWN, reason="own is better")})["E"]
    assert found == Service(route=OWN, reason="no job in the plan: over --max-jobs 1")


def test_without_a_routing_plan_nobody_knows_why() -> None:
    assert _found(decisions=lambda _: {})["E"].reason == "the plan has no job for it, and no routing plan says why"


def test_the_routing_plan_is_not_read_where_every_pair_has_a_job() -> None:
    def refuse(target: str) -> dict[str, Decision]:
        raise AssertionError(target)

    assert set(_found(symbols=("A", "B", "C", "D", "NEW"), decisions=refuse)) == {"A", "B", "C", "D", "NEW"}
