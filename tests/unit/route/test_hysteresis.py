"""Hysteresis: enter at the threshold, leave below threshold − margin; each threshold, each side, step by step."""

from collections.abc import Callable
from typing import Any

import pytest

from trainroute.records.routing import RoutingPlan
from trainroute.route import explain

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
Decide = Callable[..., RoutingPlan]

MARGINS = {"score_margin": 0.01, "probability_margin": 0.05}
ALONE: Row = {"score_shrunk": 0.4, "p_skill": 0.1}
RULES = {
    "evidence": {
        "min_p_skill": {"strong": 0.99, "weak": 0.9, "experimental": 0.8},
        "cs_on_symbol_below": 0.2,
        "local_better_above": 0.7,
        "cs_better_below": 0.3,
    }
}


def _run(decide: Decide, tables: list[list[Row]], read: Callable[[RoutingPlan], str], **routing: Any) -> list[str]:
    """Decide table after table, each with the plan before it; return what is read of each plan."""
    previous, found = None, []
    for table in tables:
        previous = decide(table, previous=previous, **{**RULES, **routing})
        found.append(read(previous))
    return found


def _local(plan: RoutingPlan) -> str:
    return plan.symbol_decision("y", "A").local_state.value


def _pooled(plan: RoutingPlan) -> str:
    return plan.cross_sectional("y").state.value


def _route(plan: RoutingPlan) -> str:
    return plan.symbol_decision("y", "A").route.removeprefix("ROUTE_")


W, S, E, D = "WEAK_BUT_OK", "STRONG", "EXPERIMENTAL", "DISALLOWED"


@pytest.mark.parametrize(
    ("key", "values", "strict", "held"),
    [
        ("score_shrunk", [0.52, 0.53, 0.521, 0.52, 0.519, 0.521], [E, W, E, E, E, E], [E, W, W, W, E, E]),
        ("score_shrunk", [0.569, 0.57, 0.56, 0.5599, 0.569], [W, S, W, W, W], [W, S, S, W, W]),
        ("p_skill", [0.989, 0.99, 0.94, 0.9399, 0.96], [W, S, W, W, W], [W, S, S, W, W]),
        ("p_skill", [0.89, 0.9, 0.85, 0.849, 0.89], [E, W, E, E, E], [E, W, W, E, E]),
        ("p_skill", [0.79, 0.8, 0.75, 0.7499, 0.79], [D, E, D, D, D], [D, E, E, D, D]),
        ("p_skill", [0.9, 0.76, 0.749], [W, D, D], [W, E, D]),
        ("score_ci_low", [0.5, 0.5001, 0.4901, 0.49, 0.5], [W, S, W, W, W], [W, S, S, W, W]),
        ("p_skill", [0.95, None, 0.89], [W, D, E], [W, D, E]),
        ("sample_size", [1000, 999, 1000], [S, D, S], [S, D, S]),
    ],
)
@pytest.mark.parametrize("side", ["local", "pooled"])
def test_each_threshold_of_a_side_is_entered_at_itself_and_left_below_the_margin(
    rows: Rows, decide: Decide, key: str, values: list[Any], strict: list[str], held: list[str], side: str
) -> None:
    scores = {"cross_sectional": {"min_score": 0.53, "strong_score": 0.57}}
    sizes = {"min_sample_size": {"cross_sectional": 1000, "symbol": 1000}}
    if side == "local":
        tables = [rows(pooled=ALONE, A={key: value}) for value in values]
    else:
        tables = [rows(pooled={key: value}, A=ALONE) for value in values]
    read = _local if side == "local" else _pooled
    assert _run(decide, tables, read, **scores, **sizes) == strict
    assert _run(decide, tables, read, hysteresis=MARGINS, **scores, **sizes) == held


CS, LOC, BOTH = "CROSS_SECTIONAL", "SYMBOL_SPECIFIC", "BOTH"


@pytest.mark.parametrize(
    ("key", "values", "strict", "held"),
    [
        ("p_local_better", [0.7, 0.71, 0.66, 0.65, 0.69], [BOTH, LOC, BOTH, BOTH, BOTH], [BOTH, LOC, LOC, BOTH, BOTH]),
        ("p_local_better", [0.3, 0.29, 0.34, 0.35, 0.31], [BOTH, CS, BOTH, BOTH, BOTH], [BOTH, CS, CS, BOTH, BOTH]),
        ("p_local_better", [0.71, 0.29, 0.31, 0.71], [LOC, CS, BOTH, LOC], [LOC, CS, CS, LOC]),
        ("p_cs_skill", [0.19, 0.2, 0.15, 0.149, 0.19], [LOC, BOTH, LOC, LOC, LOC], [LOC, BOTH, BOTH, LOC, LOC]),
    ],
)
def test_the_rules_between_the_sides_hold_on_too(
    rows: Rows, decide: Decide, key: str, values: list[float], strict: list[str], held: list[str]
) -> None:
    tables = [rows(A={key: value}) for value in values]
    assert _run(decide, tables, _route) == strict
    assert _run(decide, tables, _route, hysteresis=MARGINS) == held


def test_the_pool_goes_on_serving_in_the_lane_too(rows: Rows, decide: Decide) -> None:
    pool = {"score_shrunk": 0.515, "p_skill": 0.85}
    tables = [rows(pooled=pool, A={**ALONE, "p_cs_skill": p}) for p in (0.19, 0.2, 0.15, 0.149, 0.19)]
    lane, gone = "EXPERIMENTAL_ONLY", "BLOCKED"
    assert _run(decide, tables, _route) == [gone, lane, gone, gone, gone]
    assert _run(decide, tables, _route, hysteresis=MARGINS) == [gone, lane, lane, gone, gone]


def test_a_lane_of_its_own_is_no_service_of_the_pool(rows: Rows, decide: Decide) -> None:
    """The pair was in the lane by its local side, whose score then fell."""
    pool, own = {"score_shrunk": 0.515, "p_skill": 0.85}, {"score_shrunk": 0.515, "p_skill": 0.85}
    tables = [rows(pooled=pool, A={**own, "p_cs_skill": 0.15}), rows(pooled=pool, A={**ALONE, "p_cs_skill": 0.15})]
    assert _run(decide, tables, _route, hysteresis=MARGINS) == ["EXPERIMENTAL_ONLY", "BLOCKED"]


def test_a_held_decision_says_so_and_explains_itself_from_the_plan_alone(rows: Rows, decide: Decide) -> None:
    before = decide(rows(pooled=ALONE, A={"score_shrunk": 0.53}), hysteresis=MARGINS, **RULES)
    plan = decide(rows(pooled=ALONE, A={"score_shrunk": 0.525}), hysteresis=MARGINS, previous=before, **RULES)
    decision = plan.symbol_decision("y", "A")
    assert "local stays WEAK_BUT_OK by hysteresis: score within the margin" in decision.reasons
    assert decision.margins.min_score == pytest.approx(0.005)
    assert (decision.evidence.previous_state, decision.evidence.previous_route) == ("WEAK_BUT_OK", before_route(before))
    assert plan.metadata.previous_plan_id == before.plan_id
    assert "pass score: 0.525 ≥ 0.52 (+0.005)" in "\n".join(explain(plan, "y", "A").lines())


def before_route(plan: RoutingPlan) -> str:
    return plan.symbol_decision("y", "A").route.value


def test_making_a_plan_again_changes_nothing(rows: Rows, decide: Decide) -> None:
    first = decide(rows(A={"score_shrunk": 0.53}), hysteresis=MARGINS)
    second = decide(rows(A={"score_shrunk": 0.525}), hysteresis=MARGINS, previous=first)
    again = decide(rows(A={"score_shrunk": 0.525}), hysteresis=MARGINS, previous=second)
    assert again.targets_part == second.targets_part
    assert again.metadata == second.metadata


def test_without_a_margin_the_previous_plan_does_not_matter(rows: Rows, decide: Decide) -> None:
    before = decide(rows(A={"score_shrunk": 0.53}))
    table = rows(A={"score_shrunk": 0.525}, B={})
    plan = decide(table, previous=before)
    assert plan.metadata == decide(table).metadata
    assert plan.targets_part == decide(table).targets_part
    assert plan.metadata.previous_plan_id is None


def test_what_a_pin_decided_is_not_held_on_to(rows: Rows, decide: Decide) -> None:
    pin = {"target": "y", "force": LOC, "reason": "r", "expires": "2027-01-31"}
    table, day = rows(A={"p_local_better": 0.66}), "2026-01-01"
    before = decide(table, hysteresis=MARGINS, pins=[pin], generated_at=day, **RULES)
    assert _route(before) == LOC
    assert _route(decide(table, hysteresis=MARGINS, previous=before, **RULES)) == BOTH


def test_a_pool_that_a_pin_let_train_is_not_held_on_to(rows: Rows, decide: Decide) -> None:
    pin = {"target": "y", "symbol": "A", "force": CS, "reason": "r", "expires": "2027-01-31"}
    scores = {"cross_sectional": {"min_score": 0.53, "strong_score": 0.57}, "experimental": {"min_score": 0.52}}
    table = rows(pooled={"score_shrunk": 0.51}, A=ALONE, B=ALONE)
    pinned = decide(table, hysteresis={"score_margin": 0.02}, pins=[pin], generated_at="2026-01-01", **scores)
    assert (_pooled(pinned), pinned.cross_sectional("y").pinned_by) == (E, "pin 1 (y · A: r)")
    after = decide(table, hysteresis={"score_margin": 0.02}, previous=pinned, **scores)
    assert (_pooled(after), after.cross_sectional("y").pinned_by) == (D, None)
    assert after.cross_sectional("y").previous_state is None
