"""Candidates whose state is known, to change one thing at a time."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

STRONG: dict[str, Any] = {
    "score": 0.6,
    "score_ci_low": 0.56,
    "score_ci_high": 0.64,
    "score_shrunk": 0.6,
    "p_skill": 0.999,
    "cs_score": 0.58,
    "cs_score_shrunk": 0.57,
    "p_cs_skill": 0.9,
    "delta_local": 0.02,
    "delta_local_se": 0.01,
    "p_local_better": 0.5,
    "stability": "STABLE",
    "n_snapshots": 3,
    "sample_size": 9000,
    "n_eff": 500.0,
    "n_blocks": 40,
    "minority_events": 400,
    "leakage_status": "SAFE",
    "attempted_model_families": ["Ridge"],
    "failed_model_families": [],
    "task_type": "binary",
}

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
Decide = Callable[..., RoutingPlan]


@pytest.fixture
def rows() -> Rows:
    """One target ``y`` with a STRONG pooled side and symbols A, B, … all STRONG."""

    def make(*, pooled: Row | None = None, **symbols: Row) -> list[Row]:
        own = {"target": "y", "symbol": None, **STRONG, **(pooled or {})}
        return [own, *({"target": "y", "symbol": name, **STRONG, **changed} for name, changed in symbols.items())]

    return make


@pytest.fixture
def decide() -> Decide:
    """Route rows under a config given as a dict of ``routing``."""

    def run(
        rows: list[Row],
        *,
        without: tuple[str, ...] = (),
        generated_at: str = "now",
        previous: RoutingPlan | None = None,
        **routing: Any,
    ) -> RoutingPlan:
        frame = pl.DataFrame(rows, infer_schema_length=None).drop(without)
        config = Config.model_validate({"routing": routing})
        candidates = validate_candidates(frame, "test")
        return build_routing_plan(candidates, config, generated_at=generated_at, git_commit=None, previous=previous)

    return run
