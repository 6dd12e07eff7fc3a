"""The cap on the experimental lane."""

from collections.abc import Callable
from typing import Any

import pytest

from trainroute.records.routing import RoutingPlan

Rows = Callable[..., list[dict[str, Any]]]
Decide = Callable[..., RoutingPlan]

LANE = {"score_shrunk": 0.52, "p_skill": 0.9}
NO_POOL = {"score_shrunk": 0.5}


def _kept(plan: RoutingPlan) -> list[str]:
    lane = plan.pairs.filter(plan.pairs["route"] == "ROUTE_EXPERIMENTAL_ONLY")
    return list(lane["symbol"].to_list())


@pytest.mark.parametrize(
    ("fraction", "symbols", "kept"),
    [(0.2, 10, 2), (0.2, 9, 1), (0.2, 4, 1), (0.0, 10, 0), (1.0, 7, 7), (0.29, 100, 29), (0.001, 5, 1)],
)
def test_how_many_keep_the_lane(rows: Rows, decide: Decide, fraction: float, symbols: int, kept: int) -> None:
    table = rows(pooled=NO_POOL, **{f"S{i:03d}": LANE for i in range(symbols)})
    plan = decide(table, experimental={"max_fraction_symbols_per_target": fraction})
    assert _kept(plan) == [f"S{i:03d}" for i in range(kept)]


def test_the_best_score_keeps_it_then_the_name(rows: Rows, decide: Decide) -> None:
    scores = {"A": 0.515, "B": 0.525, "C": 0.525, "D": 0.52}
    table = rows(pooled=NO_POOL, **{name: {**LANE, "score_shrunk": score} for name, score in scores.items()})
    assert _kept(decide(table, experimental={"max_fraction_symbols_per_target": 0.5})) == ["B", "C"]
    assert _kept(decide(table, experimental={"max_fraction_symbols_per_target": 0.25})) == ["B"]


def test_the_fraction_is_of_all_symbols_of_the_target(rows: Rows, decide: Decide) -> None:
    table = rows(pooled=NO_POOL, A=LANE, B=LANE, C={}, D={}, E={}, F={}, G={}, H={}, I={}, J={})
    assert _kept(decide(table)) == ["A", "B"]


def test_the_rest_are_blocked_with_the_reason(rows: Rows, decide: Decide) -> None:
    table = rows(pooled=NO_POOL, A=LANE, B={**LANE, "score_shrunk": 0.511}, C={}, D={}, E={})
    decision = decide(table).symbol_decision("y", "B")
    assert (decision.route, decision.local_state) == ("ROUTE_BLOCKED", "EXPERIMENTAL")
    assert decision.blocked_by == "experimental lane is full"
    assert decision.reasons[0] == (
        "BLOCKED: experimental lane is full: place 2 of 2 that qualify, 1 may keep it (0.2 of 5 symbols)"
    )


def test_a_pooled_experiment_is_ranked_by_the_pooled_score_on_the_symbol(rows: Rows, decide: Decide) -> None:
    bad = {"score_shrunk": 0.4}
    table = rows(
        pooled={"score_shrunk": 0.515, "p_skill": 0.9},
        A={**bad, "cs_score_shrunk": 0.51},
        B={**bad, "cs_score_shrunk": 0.54},
        C={**bad, "cs_score_shrunk": None},
    )
    plan = decide(table, experimental={"max_fraction_symbols_per_target": 0.67})
    assert _kept(plan) == ["B", "C"]  # C was not measured: the target's own 0.515 stands for it
    assert plan.symbol_decision("y", "B").reasons[0] == "EXPERIMENTAL_ONLY: experimental lane: the pooled model"


def test_each_target_has_its_own_lane(rows: Rows, decide: Decide) -> None:
    table = rows(pooled=NO_POOL, A=LANE, B=LANE)
    both = table + [{**row, "target": "z"} for row in table]
    plan = decide(both)
    assert plan.pairs.filter(plan.pairs["route"] == "ROUTE_EXPERIMENTAL_ONLY").select("target", "symbol").rows() == [
        ("y", "A"),
        ("z", "A"),
    ]
