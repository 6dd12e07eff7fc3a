"""The route table of the contract, cell by cell, from candidates to route."""

import itertools

import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

STATES = ("STRONG", "WEAK_BUT_OK", "EXPERIMENTAL", "DISALLOWED")
BEHAVIORS = ("ROUTE_BOTH", "PREFER_CS", "PREFER_SYMBOL", "PREFER_BETTER")
# p_local_better → what PREFER_BETTER makes of it; the thresholds 0.45 and 0.55 themselves are undecided.
BETTER = {
    None: "ROUTE_BOTH",
    0.0: "ROUTE_CROSS_SECTIONAL",
    0.449999: "ROUTE_CROSS_SECTIONAL",
    0.45: "ROUTE_BOTH",
    0.5: "ROUTE_BOTH",
    0.55: "ROUTE_BOTH",
    0.550001: "ROUTE_SYMBOL_SPECIFIC",
    1.0: "ROUTE_SYMBOL_SPECIFIC",
}
ALWAYS = {
    "ROUTE_BOTH": "ROUTE_BOTH",
    "PREFER_CS": "ROUTE_CROSS_SECTIONAL",
    "PREFER_SYMBOL": "ROUTE_SYMBOL_SPECIFIC",
}
# The table of the contract, rows: pooled side, columns: local side.
TABLE = {
    "STRONG": ("both", "both", "ROUTE_CROSS_SECTIONAL", "ROUTE_CROSS_SECTIONAL"),
    "WEAK_BUT_OK": ("both", "both", "ROUTE_CROSS_SECTIONAL", "ROUTE_CROSS_SECTIONAL"),
    "EXPERIMENTAL": (
        "ROUTE_SYMBOL_SPECIFIC",
        "ROUTE_SYMBOL_SPECIFIC",
        "ROUTE_EXPERIMENTAL_ONLY",
        "ROUTE_EXPERIMENTAL_ONLY",
    ),
    "DISALLOWED": ("ROUTE_SYMBOL_SPECIFIC", "ROUTE_SYMBOL_SPECIFIC", "ROUTE_EXPERIMENTAL_ONLY", "ROUTE_BLOCKED"),
}
# Evidence that gives each state on either side under the default thresholds.
EVIDENCE = {
    "STRONG": {"score": 0.6, "score_shrunk": 0.6, "score_ci_low": 0.56, "p_skill": 0.999},
    "WEAK_BUT_OK": {"score": 0.54, "score_shrunk": 0.54, "score_ci_low": 0.51, "p_skill": 0.96},
    "EXPERIMENTAL": {"score": 0.515, "score_shrunk": 0.515, "score_ci_low": 0.49, "p_skill": 0.85},
    "DISALLOWED": {"score": 0.5, "score_shrunk": 0.5, "score_ci_low": 0.45, "p_skill": 0.4},
}


def _routed(behavior: str, *, provided: bool) -> RoutingPlan:
    rows = []
    for cs_state in STATES:
        rows.append({"target": cs_state, "symbol": None, **_common(), **EVIDENCE[cs_state]})
        for local_state, p in itertools.product(STATES, BETTER):
            symbol = f"{local_state} {p}"
            local = {"target": cs_state, "symbol": symbol, **_common(), **EVIDENCE[local_state], "p_local_better": p}
            rows.append(local)
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if not provided:
        frame = frame.drop("p_local_better")
    config = Config.model_validate(
        {"routing": {"both_strong_behavior": behavior, "experimental": {"max_fraction_symbols_per_target": 1.0}}}
    )
    return build_routing_plan(validate_candidates(frame, "test"), config, generated_at="", git_commit=None)


def _common() -> dict[str, object]:
    return {
        "sample_size": 9000,
        "n_eff": 500.0,
        "minority_events": 400,
        "stability": "STABLE",
        "leakage_status": "SAFE",
        "attempted_model_families": ["Ridge"],
        "failed_model_families": [],
        "p_cs_skill": 0.9,
        "p_local_better": None,
    }


def _expected(cs_state: str, local_state: str, behavior: str, p: float | None) -> str:
    cell = TABLE[cs_state][STATES.index(local_state)]
    if cell != "both":
        return cell
    return ALWAYS.get(behavior) or BETTER[p]


@pytest.mark.parametrize("provided", [True, False])
@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_every_cell_of_the_table(behavior: str, *, provided: bool) -> None:
    plan = _routed(behavior, provided=provided)
    assert plan.pairs.height == len(STATES) ** 2 * len(BETTER)
    for cs_state, local_state, p in itertools.product(STATES, STATES, BETTER):
        decision = plan.symbol_decision(cs_state, f"{local_state} {p}")
        assert (decision.cs_state, decision.local_state) == (cs_state, local_state)
        assert decision.route == _expected(cs_state, local_state, behavior, p if provided else None)
        assert (decision.blocked_by is None) == (decision.route != "ROUTE_BLOCKED")


def test_every_route_says_why() -> None:
    plan = _routed("PREFER_BETTER", provided=True)
    for route, reasons in plan.pairs.select("route", "reasons").iter_rows():
        assert reasons[0].startswith(f"{route.removeprefix('ROUTE_')}: ")
    said = plan.symbol_decision("STRONG", "STRONG 0.550001").reasons
    assert said[0] == "SYMBOL_SPECIFIC: both sides are good enough; p_local_better 0.550001 > 0.55"
