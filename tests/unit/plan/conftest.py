"""Routing plans with one pair of each kind, and the training plans made of them."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.plan import build_training_plan
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.plan import FeatureSet, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

Row = dict[str, Any]

COMMON: Row = {
    "sample_size": 9000,
    "n_eff": 500.0,
    "minority_events": 400,
    "stability": "STABLE",
    "leakage_status": "SAFE",
    "attempted_model_families": ["Ridge"],
    "failed_model_families": [],
    "p_cs_skill": 0.9,
    "p_local_better": 0.5,
    "cs_score_shrunk": 0.56,
    "task_type": "binary",
    "feature_set_id": "fs_y",
}
SIDE: dict[str, Row] = {
    "strong": {"score": 0.6, "score_shrunk": 0.6, "score_ci_low": 0.56, "p_skill": 0.999},
    "weak": {"score": 0.54, "score_shrunk": 0.54, "score_ci_low": 0.51, "p_skill": 0.96},
    "lane": {"score": 0.515, "score_shrunk": 0.515, "score_ci_low": 0.49, "p_skill": 0.85},
    "none": {"score": 0.5, "score_shrunk": 0.5, "score_ci_low": 0.45, "p_skill": 0.4},
}


def row(target: str, symbol: str | None, side: str, **changed: Any) -> Row:
    """Return one row of the candidates."""
    return {"target": target, "symbol": symbol, **COMMON, **SIDE[side], **changed}


# pooled: one symbol of each route; own: no pool; lane: the pool itself is an experiment; dead: nothing may train.
ROWS = [
    row("pooled", None, "weak"),
    row("pooled", "BOTH", "strong", p_local_better=0.52),
    row("pooled", "CS", "strong", p_local_better=0.1),
    row("pooled", "LEAK", "strong", leakage_status="BLOCKED"),
    row("pooled", "OWN", "strong", p_local_better=0.9),
    row("pooled", "SHORT", "none", sample_size=500),
    row("own", None, "none"),
    row("own", "BOTH", "none"),
    row("own", "CS", "lane"),
    row("own", "OWN", "strong"),
    row("lane", None, "lane"),
    row("lane", "CS", "none", cs_score_shrunk=0.53),
    row("dead", None, "none"),
    row("dead", "CS", "none"),
]


@pytest.fixture
def rows() -> list[Row]:
    """The candidates as rows, to change."""
    return [dict(row) for row in ROWS]


@pytest.fixture
def route() -> Callable[..., RoutingPlan]:
    """Route rows under a config given as a dict."""

    def run(rows: list[Row], *, generated_at: str = "2024", **config: Any) -> RoutingPlan:
        table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "test")
        return build_routing_plan(table, Config.model_validate(config), generated_at=generated_at, git_commit=None)

    return run


@pytest.fixture
def plan_of() -> Callable[..., TrainingPlan]:
    """Build the training plan of a routing plan."""

    def run(
        routing: RoutingPlan,
        /,
        families: tuple[str, ...] = ("LightGBM", "XGBoost", "Ensemble"),
        **config: Any,
    ) -> TrainingPlan:
        return build_training_plan(
            routing,
            Config.model_validate(config),
            families=families,
            feature_sets={"fs_y": FeatureSet(features=("f1", "f2")), "unused": FeatureSet(features=())},
            data_fingerprint="data",
            run_id="run",
            generated_at="2024",
            git_commit=None,
            routing_plan_path="METRICS/routing_plan/routing_plan.json",
        )

    return run


@pytest.fixture
def routing(rows: list[Row], route: Callable[..., RoutingPlan]) -> RoutingPlan:
    """The routing plan of the rows under the default config."""
    return route(rows)


@pytest.fixture
def plan(routing: RoutingPlan, plan_of: Callable[..., TrainingPlan]) -> TrainingPlan:
    """The training plan of that routing plan."""
    return plan_of(routing)
