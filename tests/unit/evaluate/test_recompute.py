"""Prepared features are proved by computing them again without the future."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute.config import Config
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext
from trainroute.panel import load_panel, walk_forward
from trainroute.panel.prepare import prepare
from trainroute.records.vocabulary import LeakageStatus

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    bars = []
    for s, symbol in enumerate(SYMBOLS):
        rng = np.random.default_rng(s)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 700)))
        start = pl.datetime(2015, 1, 1, time_zone="UTC")
        days = pl.select(ts=start + pl.duration(days=pl.int_range(700)))["ts"]
        bars.append(pl.DataFrame({"symbol": symbol, "ts": days, "close": close}))
    source = tmp_path / "bars.parquet"
    pl.concat(bars).write_parquet(source)
    data = tmp_path / "data"
    prepare(source, data, targets=["fwd_ret_5d"], resample=None)
    return data


def findings(data: Path, symbols: list[str] | None = None) -> list[LeakFinding]:
    panel = load_panel(data, Config().data, symbols=symbols)
    context = LeakContext(
        panel=panel,
        split=walk_forward(panel, Config()),
        config=Config(),
        data_dir=data,
        strength=np.zeros((len(panel.targets), len(panel.features))),
    )
    return list(LEAK_CHECKS.get("recompute")().find(context))


def rewrite(data: Path, expression: pl.Expr) -> None:
    for path in sorted(data.rglob("*.parquet")):
        pl.read_parquet(path).with_columns(expression).write_parquet(path)


def test_untouched_prepared_features_pass(prepared: Path) -> None:
    assert findings(prepared) == []


def test_ranks_over_all_symbols_pass_when_only_some_are_asked_for(prepared: Path) -> None:
    assert findings(prepared, ["AAA", "CCC"]) == []


@pytest.mark.parametrize(
    "leak",
    [
        pl.col("ret_5").shift(-1).alias("ret_5"),
        pl.col("vol_20").rolling_mean(11, center=True).alias("vol_20"),
        ((pl.col("ret_1") - pl.col("ret_1").mean()) / pl.col("ret_1").std()).alias("ret_1"),
    ],
    ids=["next bar", "centred window", "scaled over the whole sample"],
)
def test_a_feature_that_knows_the_future_is_blocked(prepared: Path, leak: pl.Expr) -> None:
    rewrite(prepared, leak)
    found = findings(prepared)
    assert [f.feature for f in found] == [leak.meta.output_name()]
    assert found[0].status is LeakageStatus.BLOCKED
    assert found[0].rows == 2 * len(SYMBOLS)
    assert "change when later bars are cut off" in found[0].detail


def test_data_that_prepare_did_not_make_are_not_judged(prepared: Path) -> None:
    (prepared / "trainroute_prepare.json").unlink()
    assert findings(prepared) == []
