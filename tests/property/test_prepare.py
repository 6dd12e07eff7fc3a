"""The look-ahead rule: features know nothing of later bars, labels nothing of bars outside their window."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trainroute.panel.prepare.group import BarFacts
from trainroute.panel.prepare.kind import TargetKind, Window
from trainroute.panel.prepare.labels import KINDS, label_columns, parse_target
from trainroute.panel.prepare.recipe import compute_features, feature_list, with_helpers

DAY = 86_400_000_000
N_BARS = 130
OHLCV = ("open", "high", "low", "close", "volume", "vwap")
COLUMNS = st.sampled_from([OHLCV, ("close",), ("open", "close"), ("high", "low", "close", "volume")])


def random_bars(rng: np.random.Generator, n: int, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return bars of one symbol with gaps in time, still prices and missing opens."""
    steps = rng.normal(scale=0.03, size=n) * (rng.random(n) > 0.15)
    close = 50 * np.exp(np.cumsum(steps))
    start = close * np.exp(rng.normal(scale=0.01, size=n))
    days = np.cumsum(rng.choice([1, 1, 1, 3], size=n))
    table = pl.DataFrame(
        {
            "ts": pl.Series(days * DAY).cast(pl.Datetime("us", "UTC")),
            "open": pl.Series(start).set(pl.Series(rng.random(n) < 0.02), None),
            "high": np.maximum(start, close) * (1 + 0.01 * rng.random(n)),
            "low": np.minimum(start, close) * (1 - 0.01 * rng.random(n)),
            "close": close,
            "volume": np.floor(rng.exponential(1000, n)),
            "vwap": (start + close) / 2,
        }
    )
    return table.select("ts", *columns)


def disturbed(bars: pl.DataFrame, rows: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Return the bars with other values in some rows."""
    other = {
        name: pl.when(pl.Series(rows))
        .then(pl.col(name) * pl.Series(np.exp(rng.normal(size=len(bars)))))
        .otherwise(name)
        for name in bars.columns
        if name not in ("ts", "symbol")
    }
    return bars.with_columns(**other)


def facts_of(columns: tuple[str, ...], n_symbols: int) -> BarFacts:
    return BarFacts(columns=frozenset(columns), interval_us=DAY, n_symbols=n_symbols)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), COLUMNS, st.integers(60, N_BARS - 1), st.booleans())
def test_no_feature_changes_when_the_future_does(
    seed: int,
    columns: tuple[str, ...],
    now: int,
    cut: bool,
) -> None:
    rng = np.random.default_rng(seed)
    pieces = [random_bars(rng, N_BARS, columns).select(pl.lit(s).alias("symbol"), pl.all()) for s in "ABCDEFG"]
    bars = pl.concat(pieces)
    facts = facts_of(columns, 7)
    time = pieces[0]["ts"][now]
    later = (bars["ts"] > time).to_numpy()
    changed = bars.filter(~later) if cut else disturbed(bars, later, rng)
    past = pl.col("ts") <= time
    before, after = (compute_features(table, facts).filter(past) for table in (bars, changed))
    assert before.width == 2 + len(feature_list(facts))
    assert before.drop("symbol", "ts").null_count().sum_horizontal()[0] < before.height * before.width / 2
    assert_frame_equal(before, after, rel_tol=1e-6, abs_tol=1e-9)


def value(bars: pl.DataFrame, facts: BarFacts, expression: pl.Expr, row: int) -> float:
    """Return the expression's value in one row, NaN where it is null."""
    found = with_helpers(bars, facts).with_columns(expression.cast(pl.Float64).alias("x"))["x"]
    return float(found.fill_null(float("nan"))[row])


@pytest.mark.parametrize("kind", KINDS.members(), ids=lambda kind: kind.name)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), columns=COLUMNS, bars_ahead=st.integers(1, 12), row=st.integers(90, N_BARS - 14))
def test_a_label_depends_on_its_window_and_its_threshold_on_the_past(
    kind: type[TargetKind], seed: int, columns: tuple[str, ...], bars_ahead: int, row: int
) -> None:
    rng = np.random.default_rng(seed)
    bars, facts = random_bars(rng, N_BARS, columns), facts_of(columns, 1)
    window = Window(bars=bars_ahead, facts=facts)
    position = np.arange(N_BARS)
    inside = (position > row) & (position <= row + window.last)

    outcome = value(bars, facts, kind().outcome(window), row)
    elsewhere = disturbed(bars, ~inside, rng)
    assert value(elsewhere, facts, kind().outcome(window), row) == pytest.approx(
        outcome, rel=1e-6, abs=1e-7, nan_ok=True
    )

    threshold = kind().threshold(window, 0.5)
    if threshold is not None:
        known = value(bars, facts, threshold, row)
        future = disturbed(bars, position > row, rng)
        assert value(future, facts, threshold, row) == pytest.approx(known, rel=1e-9, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), COLUMNS, st.integers(1, 12))
def test_labels_end_where_it_is_recorded(seed: int, columns: tuple[str, ...], bars_ahead: int) -> None:
    rng = np.random.default_rng(seed)
    facts = facts_of(columns, 1)
    bars = with_helpers(random_bars(rng, N_BARS, columns), facts)
    requests = [
        parse_target(f"{kind.prefix}_{bars_ahead}d{'_0.5' if kind.sized else ''}", DAY) for kind in KINDS.members()
    ]
    labels = label_columns(bars, requests, facts)
    end = labels[f"label_end_{bars_ahead}d"]
    last = bars_ahead if "open" in columns else bars_ahead + 1
    assert end.to_list() == [*bars["ts"][last:], *([None] * last)]
    for request in requests:
        assert labels[request.name][-last:].null_count() == last
    # Bars after the recorded end may be anything, and no label that was complete changes.
    cut = N_BARS - 20
    shorter = label_columns(with_helpers(bars.select("ts", *columns)[:cut], facts), requests, facts)
    complete = end.is_not_null() & (end <= bars["ts"][cut - 1])
    assert complete.sum() == cut - last
    assert_frame_equal(labels.filter(complete), shorter[: cut - last], rel_tol=1e-6)
