"""What the nearest flips cost: decisions of rows are counted, not seconds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import polars as pl
import pytest

from trainroute.config.schema import Config, RoutingConfig
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan, crowd, decide, explain, rerouting
from trainroute.route.facts import Facts
from trainroute.route.rerouting import Rerouting
from trainroute.route.trials import Trial

Decided = Callable[[Facts, RoutingConfig], tuple[pl.DataFrame, pl.DataFrame]]

SYMBOLS = 5000
LANE = Config.model_validate({"routing": {"experimental": {"max_fraction_symbols_per_target": 0.01}}})


def _plan(config: Config = LANE, symbols: int = SYMBOLS) -> RoutingPlan:
    """A pool that is no good, some symbols that are, and a thousand that queue for fifty places in the lane."""
    number = pl.int_range(symbols, eager=True)
    score = pl.select(pl.when(number < 1000).then(0.511 + number * 1e-6).otherwise(0.6)).to_series()
    pairs = pl.DataFrame({"symbol": number.cast(pl.String).str.zfill(5), "score": score, "p_skill": [0.96] * symbols})
    pool = pl.DataFrame({"symbol": [None], "score": [0.5], "p_skill": [0.1]}, schema=pairs.schema)
    frame = pl.concat([pool, pairs]).with_columns(
        target=pl.lit("y_up_1d"), sample_size=9000, stability=pl.lit("STABLE")
    )
    table = validate_candidates(frame, "planted")
    return build_routing_plan(table, config, generated_at="2026-01-01", git_commit=None)


@contextmanager
def _counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count the rows of each decision; every decision is really made."""
    rows: list[int] = []

    def counted(decided: Decided) -> Decided:
        def count(facts: Facts, config: RoutingConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
            rows.append(facts.pairs.height)
            return decided(facts, config)

        return count

    with monkeypatch.context() as patched:
        for module in (rerouting, crowd):
            patched.setattr(module, "before_cap", counted(decide.before_cap))
        yield rows


def test_a_pair_outside_the_lane_is_decided_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan()
    with _counted(monkeypatch) as rows:
        found = explain(plan, "y_up_1d", "04000")
    assert found.decision.route == "ROUTE_SYMBOL_SPECIFIC"
    assert found.flips
    among_all = [count for count in rows if count >= SYMBOLS]
    assert len(among_all) <= 12, rows  # settings and metrics that would put it into the queue
    assert sum(rows) - sum(among_all) < 500


@pytest.mark.parametrize("symbol", ["00980", "00500"])
def test_a_pair_in_the_queue_asks_few_times_and_never_holds_many_copies(
    symbol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan()
    for module in (rerouting, crowd):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 4 * SYMBOLS)
    with _counted(monkeypatch) as rows:
        found = explain(plan, "y_up_1d", symbol)
    assert (found.decision.route == "ROUTE_EXPERIMENTAL_ONLY") == (symbol == "00980")
    assert max(rows) <= 6 * SYMBOLS  # a stretch may hold every symbol twice
    assert len(rows) <= 20, len(rows)  # one decision for each value at which another symbol moves would be thousands


def test_flips_are_the_same_alone_and_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def among_all(
        self: Rerouting, trials: Sequence[Trial], *, moves: Sequence[Trial] = (), **_: object
    ) -> dict[Trial, str]:
        groups = self._groups([*trials, *moves])
        return {trial: route for group in groups for trial, route in self._among(*group).items()}

    plan = _plan(symbols=1200)
    for symbol in ("00000", "00990", "01100"):
        found = explain(plan, "y_up_1d", symbol).flips
        with monkeypatch.context() as patched:
            patched.setattr(Rerouting, "routes", among_all)
            assert explain(plan, "y_up_1d", symbol).flips == found


@pytest.mark.parametrize("target", ["y_up_1d", "y_*", "*"])
def test_a_pin_holds_whatever_its_pattern_while_metrics_are_tried(target: str) -> None:
    pin = {"target": target, "symbol": "0*", "force": "BLOCKED", "reason": "r", "expires": "2027-01-01"}
    plan = _plan(Config.model_validate({"routing": {"pins": [pin]}}), symbols=20)
    assert [flip for flip in explain(plan, "y_up_1d", "00003").flips if flip.kind == "metric"] == []
