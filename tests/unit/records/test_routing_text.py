"""The text of the decisions is the canonical JSON of the plan, wherever the table is cut."""

import msgspec
import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.records import routing_text
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

SYMBOLS = {"a": 3, "b": 0, "c": 0, "d": 1, 'e"\n': 2, "f": 0, "g": 4}


@pytest.fixture(scope="module")
def plan() -> RoutingPlan:
    rows = [
        {"target": target, "symbol": symbol, "score": 0.6, "sample_size": 9000}
        for target, n in SYMBOLS.items()
        for symbol in [None, *(f"s{i}é" for i in range(n))]
    ]
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    return build_routing_plan(table, Config(), generated_at="", git_commit=None)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 2048])
def test_it_is_the_json_of_every_decision(plan: RoutingPlan, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing_text, "SLICE_ROWS", rows)
    chunks = list(routing_text.decisions_text(plan.pooled, plan.pairs))
    targets = {
        target: {
            "cross_sectional": plan.cross_sectional(target),
            "symbols": {f"s{i}é": plan.symbol_decision(target, f"s{i}é") for i in range(n)},
        }
        for target, n in SYMBOLS.items()
    }
    text = b"{" + b",".join(chunks).replace(b"\n", b"") + b"}"
    assert text == msgspec.json.encode(targets, order="sorted")
    assert (len(chunks) == 1) == (rows > 10_000)
    assert len(chunks) >= (5 if rows == 1 else 4)


def test_without_any_target_there_is_no_text(plan: RoutingPlan) -> None:
    assert list(routing_text.decisions_text(plan.pooled.head(0), plan.pairs.head(0))) == []
