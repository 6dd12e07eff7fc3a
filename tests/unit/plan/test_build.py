"""Which jobs there are, what is in them, and what makes a plan the same."""

from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.errors import UnknownNameError
from trainroute.plan import validate_plan
from trainroute.plan.markdown import plan_markdown
from trainroute.records.artifacts import canonical_json
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.routing import RoutingPlan

Row = dict[str, Any]
Route = Callable[..., RoutingPlan]
PlanOf = Callable[..., TrainingPlan]


def _job(plan: TrainingPlan, job_id: str) -> TrainingJob:
    return next(job for job in plan.jobs if job.job_id == job_id)


def test_exactly_the_jobs_that_decisions_ask_for(plan: TrainingPlan) -> None:
    assert {(job.job_id, job.route, job.training_type) for job in plan.jobs} == {
        ("cs_pooled", "ROUTE_CROSS_SECTIONAL", "cross_sectional"),
        ("cs_lane", "ROUTE_EXPERIMENTAL_ONLY", "cross_sectional"),
        ("sym_pooled_BOTH", "ROUTE_BOTH", "symbol_specific"),
        ("sym_pooled_OWN", "ROUTE_SYMBOL_SPECIFIC", "symbol_specific"),
        ("sym_own_OWN", "ROUTE_SYMBOL_SPECIFIC", "symbol_specific"),
        ("sym_own_CS", "ROUTE_EXPERIMENTAL_ONLY", "symbol_specific"),
    }


def test_whom_a_pooled_job_serves_and_who_teaches_it(plan: TrainingPlan) -> None:
    metadata = _job(plan, "cs_pooled").metadata
    assert metadata.symbols == ("BOTH", "CS", "SHORT")
    assert metadata.both_symbols == ("BOTH",)
    assert metadata.training_symbols == ("BOTH", "CS", "OWN", "SHORT")  # LEAK's rows leave the pool


@pytest.mark.parametrize(
    ("planning", "pool"),
    [
        ({"short_symbols_teach_pool": False}, ("BOTH", "CS", "OWN")),
        ({"local_symbols_teach_pool": False}, ("BOTH", "CS", "SHORT")),
    ],
)
def test_who_teaches_can_be_configured(
    rows: list[Row], route: Route, plan_of: PlanOf, planning: dict[str, bool], pool: tuple[str, ...]
) -> None:
    plan = plan_of(route(rows, planning=planning), planning=planning)
    assert _job(plan, "cs_pooled").metadata.training_symbols == pool


def test_a_symbol_without_rows_teaches_nothing(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    rows[5]["sample_size"] = 0
    rows[5]["minority_events"] = 0
    metadata = _job(plan_of(route(rows)), "cs_pooled").metadata
    assert "SHORT" in metadata.symbols
    assert "SHORT" not in metadata.training_symbols


def test_unknown_rows_teach_unless_short_symbols_may_not(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    rows[5]["sample_size"] = None
    short = {"planning": {"short_symbols_teach_pool": False}}
    for settings, teaches in (({}, True), (short, False)):
        metadata = _job(plan_of(route(rows, **settings), **settings), "cs_pooled").metadata
        assert ("SHORT" in metadata.training_symbols) == teaches


def test_who_leaks_teaches_only_where_leakage_does_not_block(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    free = {"routing": {"block_on_leakage": False}}
    for settings, teaches in (({}, False), (free, True)):
        metadata = _job(plan_of(route(rows, **settings), **settings), "cs_pooled").metadata
        assert ("LEAK" in metadata.training_symbols) == teaches


@pytest.mark.parametrize("thousandths", [7, 29, 57, 58, 70, 99])
def test_a_priority_counts_whole_thousandths_of_the_score(
    rows: list[Row], route: Route, plan_of: PlanOf, thousandths: int
) -> None:
    """0.57 − 0.5 is 0.06999999999999995 in floating point."""
    score = round(0.5 + thousandths / 1000, 6)
    table = [{**row, "score_shrunk": score} for row in rows if row["target"] == "pooled"]
    low = {"min_score": 0.505, "strong_score": 0.57}
    settings = {"symbol": low, "cross_sectional": low, "experimental": {"min_score": 0.501}}
    jobs = plan_of(route(table, routing=settings)).jobs
    assert jobs
    assert {job.priority % 100 for job in jobs} == {thousandths}


def test_a_both_symbol_is_linked_and_weighted(
    plan: TrainingPlan, rows: list[Row], route: Route, plan_of: PlanOf
) -> None:
    job = _job(plan, "sym_pooled_BOTH")
    assert (job.metadata.cs_job_id, job.metadata.blend_weight) == ("cs_pooled", 0.52)
    alone = _job(plan, "sym_pooled_OWN").metadata
    assert (alone.cs_job_id, alone.blend_weight) == (None, None)
    rows[1]["p_local_better"] = None
    assert _job(plan_of(route(rows)), "sym_pooled_BOTH").metadata.blend_weight == 0.5


def test_the_evidence_of_a_job(plan: TrainingPlan) -> None:
    metadata = _job(plan, "sym_pooled_BOTH").metadata
    assert (metadata.cs_state, metadata.local_state) == ("WEAK_BUT_OK", "STRONG")
    assert (metadata.cs_score, metadata.local_score, metadata.p_local_better) == (0.56, 0.6, 0.52)
    assert (metadata.sample_size, metadata.feature_set_id) == (9000, "fs_y")
    pooled = _job(plan, "cs_pooled")
    assert (pooled.metadata.cs_score, pooled.metadata.local_score) == (0.54, None)
    assert pooled.reason.endswith("serves 3 symbols, 1 of them beside a model of their own")


def test_priority_is_state_then_score_and_orders_the_jobs(plan: TrainingPlan) -> None:
    assert [(job.priority, job.job_id) for job in plan.jobs] == [
        (540, "cs_pooled"),
        (499, "sym_own_OWN"),
        (499, "sym_pooled_BOTH"),
        (499, "sym_pooled_OWN"),
        (215, "cs_lane"),
        (115, "sym_own_CS"),
    ]


def test_only_feature_sets_in_use_are_in_the_plan(plan: TrainingPlan) -> None:
    assert list(plan.feature_sets) == ["fs_y"]


def test_an_unknown_feature_set_is_none(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    for row in rows:
        row["feature_set_id"] = "elsewhere"
    plan = plan_of(route(rows))
    assert {job.metadata.feature_set_id for job in plan.jobs} == {None}
    assert plan.feature_sets == {}


def test_a_symbol_without_feature_set_has_its_targets(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    rows[1]["feature_set_id"] = None
    assert _job(plan_of(route(rows)), "sym_pooled_BOTH").metadata.feature_set_id == "fs_y"


def test_counts_of_jobs_and_of_blocked_pairs(plan: TrainingPlan) -> None:
    summary = plan.summary
    assert summary.by_route == {
        "ROUTE_CROSS_SECTIONAL": 1,
        "ROUTE_SYMBOL_SPECIFIC": 2,
        "ROUTE_BOTH": 1,
        "ROUTE_EXPERIMENTAL_ONLY": 2,
    }
    assert summary.by_type == {"cross_sectional": 2, "symbol_specific": 4}
    assert summary.by_priority == {"540": 1, "499": 3, "215": 1, "115": 1}
    assert (summary.total_cs_jobs, summary.total_symbol_jobs, summary.total_blocked) == (2, 4, 3)
    assert summary.blocked_reasons == {"below the score minimum": 2, "leakage": 1}
    assert plan.metadata.total_jobs == len(plan.jobs) == 6


def test_metadata_name_every_target_and_symbol(plan: TrainingPlan, routing: RoutingPlan) -> None:
    assert plan.metadata.targets == ("dead", "lane", "own", "pooled")
    assert plan.metadata.symbols == ("BOTH", "CS", "LEAK", "OWN", "SHORT")
    assert plan.metadata.routing_plan_id == routing.plan_id
    assert plan.metadata.metrics_snapshot == routing.metadata.metrics_snapshot


def test_nothing_to_train_is_a_plan(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    plan = plan_of(route([row for row in rows if row["target"] == "dead"]))
    assert plan.jobs == ()
    assert plan.summary.by_route == dict.fromkeys(plan.summary.by_route, 0)
    assert plan.summary.total_blocked == 1


def test_the_order_of_rows_changes_nothing(plan: TrainingPlan, rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    assert plan_of(route(rows[::-1])) == plan


def test_time_run_commit_and_path_are_not_identity(plan: TrainingPlan, routing: RoutingPlan, plan_of: PlanOf) -> None:
    assert plan_of(routing).metadata.plan_id == plan.metadata.plan_id
    assert plan_of(routing, families=("LightGBM",)).metadata.plan_id != plan.metadata.plan_id


@pytest.mark.parametrize(
    "config",
    [{"planning": {"experimental_families": ["XGBoost"]}}, {"routing": {"min_minority_events": 29}}],
)
def test_settings_are_identity(
    plan: TrainingPlan, rows: list[Row], route: Route, plan_of: PlanOf, config: dict[str, Any]
) -> None:
    assert plan_of(route(rows, **config), **config).metadata.plan_id != plan.metadata.plan_id


def test_the_lines_of_the_table_are_the_canonical_json_of_the_jobs(
    rows: list[Row], route: Route, plan_of: PlanOf
) -> None:
    named = [{**row, "symbol": row["symbol"] and f'{row["symbol"]} "é\\\n\x7f\u2028≥😀'} for row in rows]
    plan = plan_of(route(named))
    assert len(plan.jobs) > 5
    assert plan.job_lines == [canonical_json(job) for job in plan.jobs]
    assert any(job.metadata.families_left_out for job in plan.jobs)
    first = msgspec.structs.replace(plan, jobs=plan.jobs[:1])
    assert first.job_lines == plan.job_lines[:1]


def test_names_in_any_case_and_unknown_ones(routing: RoutingPlan, plan_of: PlanOf) -> None:
    plan = plan_of(routing, families=("ensemble", "lightgbm", "LIGHTGBM"))
    assert plan.metadata.model_families == ("LightGBM", "Ensemble")
    with pytest.raises(UnknownNameError, match="did you mean 'LightGBM'"):
        plan_of(routing, families=("LightGMB",))


def test_each_job_of_the_table_has_its_decision(plan: TrainingPlan, routing: RoutingPlan) -> None:
    for job in plan.jobs:
        if job.symbol is not None:
            decision = routing.symbol_decision(job.target, job.symbol)
            assert decision.local_state != "DISALLOWED"
            assert job.route == decision.route
        else:
            assert routing.cross_sectional(job.target).state != "DISALLOWED"
            served = routing.pairs.filter(
                (pl.col("target") == job.target) & pl.col("symbol").is_in(job.metadata.symbols)
            )
            assert "DISALLOWED" not in served["cs_state"].to_list()


def test_a_pool_that_no_symbol_may_teach_has_no_job(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    short = [row for row in rows if row["target"] == "pooled" and row["symbol"] in (None, "SHORT")]
    routing = route(short, planning={"short_symbols_teach_pool": False})
    assert routing.symbol_decision("pooled", "SHORT").route == "ROUTE_CROSS_SECTIONAL"
    plan = plan_of(routing, planning={"short_symbols_teach_pool": False})
    assert plan.jobs == ()
    assert (plan.summary.total_pairs, plan.summary.pairs_without_pool, plan.summary.total_blocked) == (1, 1, 0)
    assert "1 pairs are routed to a pool that no symbol may teach" in plan_markdown(plan)
    assert validate_plan(plan, routing=routing) == []
    assert plan_of(route(short)).summary.pairs_without_pool == 0
