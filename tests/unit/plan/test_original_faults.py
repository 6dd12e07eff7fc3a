"""What the public original of this design gets wrong in routing and plans; each is a test of ours."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainroute.config import parse_config
from trainroute.errors import BrokenPlanError, CandidatesError, ConfigError
from trainroute.plan import (
    apply_training_plan_filter,
    get_cs_jobs,
    get_model_families_for_job,
    get_symbol_jobs,
    load_training_plan,
    write_training_plan,
)
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan, write_routing_plan

Row = dict[str, Any]
Route = Callable[..., RoutingPlan]
PlanOf = Callable[..., TrainingPlan]


def _of(rows: list[Row], target: str) -> list[Row]:
    return [row for row in rows if row["target"] == target]


def test_leakage_reaches_the_router(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    for row in rows:
        row["leakage_status"] = "BLOCKED"
    routing = route(rows)
    assert set(routing.pairs["route"]) == {"ROUTE_BLOCKED"}
    assert plan_of(routing).jobs == ()


def test_the_experimental_fraction_is_enforced(rows: list[Row], route: Route) -> None:
    lane = next(row for row in rows if row["target"] == "own" and row["symbol"] == "CS")
    table = [*_of(rows, "own"), *({**lane, "symbol": f"S{i:02d}"} for i in range(17))]
    assert (route(table).pairs["route"] == "ROUTE_EXPERIMENTAL_ONLY").sum() == 4  # a fifth of 20


def test_failed_families_are_counted(rows: list[Row], route: Route) -> None:
    rows[9] |= {"attempted_model_families": ["A", "B"], "failed_model_families": ["A", "B"]}
    decision = route(rows).symbol_decision("own", "OWN")
    assert (decision.route, decision.blocked_by) == ("ROUTE_BLOCKED", "too few families succeeded")


def test_the_number_of_snapshots_is_enforced(rows: list[Row], route: Route) -> None:
    table = [{**row, "n_snapshots": 1} for row in rows]
    allowed = {"stability_allowlist": {"cross_sectional": ["STABLE"], "symbol": ["STABLE"]}}
    decision = route(table, routing=allowed).symbol_decision("own", "OWN")
    assert decision.evidence.stability == "UNKNOWN"
    assert decision.local_state == "EXPERIMENTAL"


def test_a_nan_sample_size_blocks_its_row_and_no_other(rows: list[Row], route: Route) -> None:
    rows[9]["sample_size"] = math.nan
    routing = route(rows)
    assert routing.symbol_decision("own", "OWN").route == "ROUTE_BLOCKED"
    assert routing.symbol_decision("pooled", "OWN").route == "ROUTE_SYMBOL_SPECIFIC"


def test_an_unknown_stability_is_named(rows: list[Row], route: Route) -> None:
    rows[9]["stability"] = "SOLID"
    with pytest.raises(CandidatesError, match="row 10, column stability: 'SOLID' is unknown"):
        route(rows)


def test_an_infinite_score_is_not_strong(rows: list[Row], route: Route) -> None:
    rows[9]["score_shrunk"] = math.inf
    with pytest.raises(CandidatesError, match="row 10, column score_shrunk: inf is infinite"):
        route(rows)


def test_without_a_task_a_score_of_0_05_does_not_pass(rows: list[Row], route: Route) -> None:
    table = [{k: v for k, v in row.items() if k != "task_type"} | {"score": 0.05, "score_shrunk": 0.05} for row in rows]
    assert set(route(table).pairs["route"]) == {"ROUTE_BLOCKED"}


def test_two_rows_of_one_pair_are_refused(rows: list[Row], route: Route) -> None:
    with pytest.raises(CandidatesError, match="stands in more than one row"):
        route([*rows, rows[9] | {"score": 0.9}])


def test_a_symbols_row_never_stands_for_the_pool(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    table = [row for row in _of(rows, "pooled") if row["symbol"] is not None]
    routing = route(table)
    assert routing.cross_sectional("pooled").state == "DISALLOWED"
    assert get_cs_jobs(plan_of(routing)) == []


def test_an_experimental_side_is_never_promoted(rows: list[Row], route: Route) -> None:
    decision = route(rows).symbol_decision("own", "CS")
    assert (decision.cs_state, decision.local_state) == ("DISALLOWED", "EXPERIMENTAL")
    assert decision.route == "ROUTE_EXPERIMENTAL_ONLY"


def test_no_pooled_job_without_a_symbol_routed_to_it(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    table = [row for row in rows if row["target"] == "pooled" and row["symbol"] in (None, "OWN")]
    plan = plan_of(route(table))
    assert [job.job_id for job in plan.jobs] == ["sym_pooled_OWN"]


@pytest.mark.parametrize("name", ["../../../x", "a/b", "..", "/etc/x", "CON", "", "é", "x" * 300, "a\nb"])
def test_names_stay_inside_and_stop_no_other_view(
    rows: list[Row], route: Route, plan_of: PlanOf, tmp_path: Path, name: str
) -> None:
    table = rows + [{**row, "target": name} for row in _of(rows, "own")]
    table += [{**rows[9], "symbol": name}]
    routing = route(table)
    plan = plan_of(routing)
    write_training_plan(plan, tmp_path / "out/globals/training_plan")
    write_routing_plan(routing, tmp_path / "out/METRICS/routing_plan")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["METRICS", "globals"]
    assert load_training_plan(tmp_path / "out/globals/training_plan") == plan
    assert read_routing_plan(tmp_path / "out/METRICS/routing_plan").pairs.equals(routing.pairs)
    for view, key, count in (("by_target", "target", 4), ("by_symbol", "symbol", 5)):
        files = list((tmp_path / "out/globals/training_plan" / view).iterdir())
        names = {read_json_artifact(file)["metadata"][key] for file in files}
        assert name in names
        assert len(files) == len(names) == count


def test_no_symbol_jobs_means_no_symbols(rows: list[Row], route: Route, plan_of: PlanOf, tmp_path: Path) -> None:
    plan = plan_of(route(_of(rows, "lane")))
    write_training_plan(plan, tmp_path)
    assert get_symbol_jobs(plan) == []
    assert apply_training_plan_filter(["lane"], ["CS"], tmp_path) == (["lane"], {"lane": []})


def test_no_pooled_jobs_means_no_targets(rows: list[Row], route: Route, plan_of: PlanOf, tmp_path: Path) -> None:
    write_training_plan(plan_of(route(_of(rows, "own"))), tmp_path)
    assert apply_training_plan_filter(["own"], ["OWN", "CS"], tmp_path) == ([], {"own": ["OWN", "CS"]})


def test_an_empty_plan_trains_nothing(rows: list[Row], route: Route, plan_of: PlanOf, tmp_path: Path) -> None:
    write_training_plan(plan_of(route(_of(rows, "dead"))), tmp_path)
    assert apply_training_plan_filter(["dead"], ["CS"], tmp_path) == ([], {"dead": []})


@pytest.mark.parametrize("text", ["", "{}", '{"jobs": []', "null"])
def test_a_broken_plan_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "master_training_plan.json").write_text(text)
    with pytest.raises(BrokenPlanError):
        apply_training_plan_filter(["y"], ["A"], tmp_path)


def test_families_belong_to_the_job(plan: TrainingPlan) -> None:
    assert get_model_families_for_job(plan, "own", "CS", "symbol_specific") == ["LightGBM"]
    assert get_model_families_for_job(plan, "own", "OWN", "symbol_specific") == ["LightGBM", "XGBoost", "Ensemble"]


def test_families_of_one_target_do_not_reach_another(
    rows: list[Row], route: Route, plan_of: PlanOf, tmp_path: Path
) -> None:
    """Quantiles are of numbers: only the target with numbers gets that family."""
    labels = _of(rows, "own")
    numbers = [{**row, "target": "numbers", "task_type": "regression"} for row in labels]
    write_training_plan(plan_of(route([*labels, *numbers]), ("LightGBM", "QuantileLightGBM")), tmp_path)
    plan = load_training_plan(tmp_path)
    found = {
        target: get_model_families_for_job(plan, target, "OWN", "symbol_specific") for target in ("own", "numbers")
    }
    assert found == {"own": ["LightGBM"], "numbers": ["LightGBM", "QuantileLightGBM"]}


def test_an_unknown_behavior_is_an_error() -> None:
    with pytest.raises(ConfigError, match="both_strong_behavior"):
        parse_config("routing: {both_strong_behavior: PREFER_WINNER}", "test")


def test_the_plan_does_not_depend_on_the_order_of_rows(rows: list[Row], route: Route, plan_of: PlanOf) -> None:
    one, other = plan_of(route(rows)), plan_of(route(rows[::-1]))
    assert one == other
