from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from polars.testing import assert_frame_equal

from trainroute.config.schema import DataConfig
from trainroute.errors import DataError, UsageError
from trainroute.panel import load_bars, load_panel, read_prepare_manifest, recompute_features
from trainroute.panel.prepare import prepare

Bars = Callable[..., pl.DataFrame]
DAY = 86_400_000_000
TARGETS = (
    "fwd_ret_5d",
    "fwd_vol_3d",
    "y_up_5d",
    "y_high_vol_5d",
    "y_will_swing_high_5d_0.50",
    "y_will_swing_low_5d_0.50",
    "y_will_peak_5d_0.20",
    "y_will_valley_5d_0.20",
)


@pytest.fixture
def source(tmp_path: Path, bars: Bars) -> Callable[..., Path]:
    def write(table: pl.DataFrame | None = None) -> Path:
        folder = tmp_path / "bars"
        folder.mkdir(exist_ok=True)
        (bars() if table is None else table).write_parquet(folder / "bars.parquet")
        return folder

    return write


def stored(data_dir: Path, symbol: str) -> pl.DataFrame:
    return pl.read_parquet(data_dir / f"symbol={symbol}" / f"{symbol}.parquet")


def test_what_is_written(tmp_path: Path, source: Callable[..., Path]) -> None:
    summary = prepare(source(), tmp_path / "data", targets=TARGETS)
    table = stored(tmp_path / "data", "AAA")
    assert table.columns[:6] == ["ts", "open", "high", "low", "close", "volume"]
    assert table.schema["ts"] == pl.Datetime("us", "UTC")
    assert table.columns[6:] == [*summary.features, *TARGETS, "label_end_5d", "label_end_3d"]
    assert {table.schema[name] for name in summary.features} == {pl.Float32}
    assert (summary.symbols, summary.n_rows, summary.bar_interval_us) == (("AAA", "BBB"), 840, DAY)
    assert 30 <= len(summary.features) <= 45
    assert not any(table[name].is_infinite().any() or table[name].is_nan().any() for name in summary.features)


def test_the_panel_knows_where_labels_end(tmp_path: Path, source: Callable[..., Path]) -> None:
    prepare(source(), tmp_path / "data", targets=TARGETS)
    panel = load_panel(tmp_path / "data", DataConfig(), targets=TARGETS[1:])
    assert panel.repairs == ("constant features left out: bars_skipped",)
    assert {target.name for target in panel.targets} == set(TARGETS[1:])
    assert not set(TARGETS) & set(panel.features)
    assert {"open", "close", "label_end_5d"}.isdisjoint(panel.features)
    bars_ahead = {target.name: target.horizon_bars for target in panel.targets}
    assert (bars_ahead["fwd_vol_3d"], bars_ahead["y_up_5d"]) == (3, 5)
    rows = panel.rows[0]
    time = panel.timestamps[rows.time_index]
    for target in panel.targets:
        ahead = rows.label_end[:, target.horizon_index] - time
        assert set(ahead.tolist()) == {target.horizon_bars * DAY}


def test_closes_only_data_has_later_labels_and_fewer_features(tmp_path: Path, source: Callable[..., Path]) -> None:
    closes = pl.read_parquet(source() / "bars.parquet").select("symbol", "ts", "close")
    summary = prepare(source(closes), tmp_path / "data", targets=["fwd_ret_5d"])
    table = stored(tmp_path / "data", "AAA")
    close = table["close"].to_numpy()
    np.testing.assert_allclose(table["fwd_ret_5d"][:-6], close[6:] / close[1:-5] - 1, rtol=1e-5)
    assert table["fwd_ret_5d"][-6:].null_count() == 6
    assert table["label_end_5d"][0] == table["ts"][6]
    assert {"ret_5", "vol_20", "weekday"} <= set(summary.features)
    assert {"range_1", "volume_z_20", "gap_1"}.isdisjoint(summary.features)
    panel = load_panel(tmp_path / "data", DataConfig())
    assert set((panel.rows[0].label_end[:, 0] - panel.timestamps).tolist()[:-6]) == {6 * DAY}


def test_labels_agree_with_slow_loops(tmp_path: Path, source: Callable[..., Path]) -> None:
    prepare(source(), tmp_path / "data", targets=TARGETS)
    table = stored(tmp_path / "data", "AAA")
    first, top, low, close = (table[name].to_numpy() for name in ("open", "high", "low", "close"))
    move = np.append(np.nan, np.diff(np.log(close)))
    n = len(close)

    def volatility(t: int, h: int) -> float:
        returns = [np.log(close[t + 1] / first[t + 1]), *move[t + 2 : t + h + 1]]
        return float(np.sqrt(np.mean(np.square(returns))))

    for t in (70, 150, 300, n - 6):
        entry, last = first[t + 1], close[t + 5]
        rise, fall = np.log(top[t + 1 : t + 6].max() / entry), np.log(entry / low[t + 1 : t + 6].min())
        level = np.std(move[t - 59 : t + 1], ddof=1) * np.sqrt(5)
        expected = {
            "fwd_ret_5d": last / entry - 1,
            "fwd_vol_3d": volatility(t, 3),
            "y_up_5d": last > entry,
            "y_will_swing_high_5d_0.50": rise > 0.5 * level,
            "y_will_swing_low_5d_0.50": fall > 0.5 * level,
            "y_will_peak_5d_0.20": last <= entry and rise > 0.2 * level,
            "y_will_valley_5d_0.20": last >= entry and fall > 0.2 * level,
        }
        past = [volatility(s, 5) for s in range(max(0, t - 5 - 251), t - 5 + 1)]
        expected["y_high_vol_5d"] = volatility(t, 5) > np.median(past)
        for name, value in expected.items():
            assert table[name][t] == pytest.approx(float(value), rel=1e-5), (name, t)
    rates = table.select(pl.col(TARGETS[2:]).cast(pl.Float64).mean()).row(0)
    assert all(0.02 < rate < 0.98 for rate in rates)


def test_features_agree_with_slow_loops(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    symbols = tuple("ABCDEF")
    prepare(source(bars(120, symbols)), tmp_path / "data", targets=["y_up_5d"])
    tables = {symbol: stored(tmp_path / "data", symbol) for symbol in symbols}
    a = tables["A"]
    close, volume = a["close"].to_numpy(), a["volume"].to_numpy()
    move = np.append(np.nan, np.diff(np.log(close)))
    t = 100
    log_volume = np.log1p(volume[t - 19 : t + 1])
    expected = {
        "ret_5": np.log(close[t] / close[t - 5]),
        "ret_60_5": np.log(close[t - 5] / close[t - 60]),
        "vol_20": np.std(move[t - 19 : t + 1], ddof=1),
        "range_1": np.log(a["high"][t] / a["low"][t]),
        "gap_1": np.log(a["open"][t] / close[t - 1]),
        "from_high_20": np.log(close[t] / a["high"].to_numpy()[t - 19 : t + 1].max()),
        "volume_z_20": (log_volume[-1] - log_volume.mean()) / log_volume.std(ddof=1),
        "weekday": a["ts"][t].isoweekday(),
        "bars_skipped": 0.0,
        "market_ret_1": np.mean([table["ret_1"][t] for table in tables.values()]),
        "dispersion_1": np.std([table["ret_1"][t] for table in tables.values()], ddof=1),
        "rank_ret_5": (sorted(table["ret_5"][t] for table in tables.values()).index(a["ret_5"][t]) + 0.5) / 6 - 0.5,
    }
    for name, value in expected.items():
        assert a[name][t] == pytest.approx(value, rel=1e-4), name


def test_a_panel_of_few_symbols_has_no_cross_section(tmp_path: Path, source: Callable[..., Path]) -> None:
    summary = prepare(source(), tmp_path / "data", targets=["y_up_5d"])
    assert not [name for name in summary.features if name.startswith(("rank_", "market_"))]


def test_features_can_be_computed_again_from_what_is_stored(
    tmp_path: Path, source: Callable[..., Path], bars: Bars
) -> None:
    symbols = tuple("ABCDEF")
    summary = prepare(source(bars(150, symbols)), tmp_path / "data")
    manifest = read_prepare_manifest(tmp_path / "data")
    assert manifest is not None
    table = pl.concat(
        load_bars(tmp_path / "data", DataConfig(), symbol).with_columns(symbol=pl.lit(symbol)) for symbol in symbols
    )
    again = recompute_features(table.sample(fraction=1.0, shuffle=True, seed=0), manifest)
    assert tuple(again.columns[2:]) == summary.features
    assert_frame_equal(
        again.drop("symbol", "ts"),
        pl.concat(stored(tmp_path / "data", symbol).select(summary.features) for symbol in symbols),
    )


def test_recipes_of_another_version_are_refused(tmp_path: Path, source: Callable[..., Path]) -> None:
    prepare(source(), tmp_path / "data")
    manifest = read_prepare_manifest(tmp_path / "data")
    assert manifest is not None
    with pytest.raises(DataError, match="prepared by recipe 99, this is recipe 1; run prepare again"):
        recompute_features(pl.DataFrame(), replace(manifest, recipe_version=99))


def test_two_runs_write_equal_bytes(tmp_path: Path, source: Callable[..., Path]) -> None:
    for name in ("one", "two"):
        prepare(source(), tmp_path / name)
    one, two = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "two"))
    assert len(one) == 3
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_an_earlier_preparation_is_replaced(tmp_path: Path, source: Callable[..., Path]) -> None:
    prepare(source(), tmp_path / "data")
    prepare(source(), tmp_path / "data", symbols=["BBB"], targets=["y_up_5d"])
    assert [path.name for path in sorted((tmp_path / "data").iterdir())] == ["symbol=BBB", "trainroute_prepare.json"]
    assert load_panel(tmp_path / "data", DataConfig()).symbols == ("BBB",)


def test_other_data_are_never_overwritten(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    (tmp_path / "data").mkdir()
    bars(10).write_csv(tmp_path / "data" / "mine.csv")
    with pytest.raises(DataError, match=r"holds data that prepare did not write \(.*mine.csv\); choose an empty"):
        prepare(source(), tmp_path / "data")
    for inside in (source(), source() / "data"):
        with pytest.raises(UsageError, match="lies in the source"):
            prepare(source(), inside)


def test_an_incomplete_or_edited_directory_is_refused(tmp_path: Path, source: Callable[..., Path]) -> None:
    data_dir = tmp_path / "data"
    prepare(source(), data_dir)
    path = data_dir / "trainroute_prepare.json"
    text = path.read_text()
    path.write_text(text.replace("forward_return", "forward_returns"))
    with pytest.raises(DataError, match="does not match its content_sha256: edited or corrupted"):
        load_panel(data_dir, DataConfig())
    path.write_text(text)
    (data_dir / "symbol=AAA" / "AAA.parquet").unlink()
    with pytest.raises(DataError, match=r"AAA.parquet: missing, though trainroute_prepare.json lists it; run prepare"):
        load_panel(data_dir, DataConfig())
    prepare(source(), data_dir)
    assert load_panel(data_dir, DataConfig()).symbols == ("AAA", "BBB")


def test_any_symbol_finds_its_file_and_back(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    symbols = ("BRK/B", "brk_b", "BRK_B", "../up", "CON", "ü", "a%2Fb")
    prepare(source(bars(symbols=symbols)), tmp_path / "data", targets=["y_up_5d"])
    assert all(path.resolve().is_relative_to(tmp_path / "data") for path in (tmp_path / "data").rglob("*"))
    assert load_panel(tmp_path / "data", DataConfig()).symbols == tuple(sorted(symbols))
    assert load_panel(tmp_path / "data", DataConfig(), symbols=["BRK/B", "BRK_B"]).symbols == ("BRK/B", "BRK_B")


def test_impossible_bars_are_repaired_and_reported(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    row = pl.int_range(pl.len())
    table = bars().with_columns(
        close=pl.when(row == 7).then(0.0).when(row == 9).then(float("nan")).otherwise("close"),
        open=pl.when(row == 50).then(-1.0).otherwise("open"),
        vwap=pl.lit(None, pl.Float64),
    )
    summary = prepare(source(table), tmp_path / "data", targets=["fwd_ret_5d"])
    assert summary.n_rows == 838
    assert summary.repairs == (
        "bars without a positive close left out, of: AAA",
        "empty columns left out: vwap",
        "impossible or missing values taken for missing, in: open (1)",
    )
    frame = stored(tmp_path / "data", "AAA")
    assert frame["fwd_ret_5d"].null_count() == 5 + 1


def test_default_targets_follow_the_bar_interval(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    hourly = bars().with_columns(ts=pl.datetime(2024, 1, 1) + pl.duration(hours=pl.int_range(pl.len()).over("symbol")))
    summary = prepare(source(hourly), tmp_path / "data")
    assert {"fwd_ret_5h", "y_high_vol_20h", "y_will_swing_low_10h_1.00"} <= set(summary.targets)
    assert "day_minute" in summary.features


def test_default_targets_that_cannot_be_are_left_out(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    summary = prepare(source(bars(40)), tmp_path / "data")
    assert summary.repairs == (
        "default targets without two labels that differ left out: y_high_vol_5d, y_high_vol_20d",
    )
    assert "fwd_ret_5d" in summary.targets
    with pytest.raises(DataError, match="target 'y_high_vol_5d' has no two labels that differ in 80 rows; give more"):
        prepare(tmp_path / "bars", tmp_path / "other", targets=["y_high_vol_5d"])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("y_down_5d", r"target 'y_down_5d' cannot be built; expected fwd_ret_<horizon>, .*y_up_<horizon>.*"),
        ("y_up", "cannot be built"),
        ("y_up_5d_0.2", "cannot be built"),
        ("y_will_peak_5d", "cannot be built"),
        ("y_up_0d", "target 'y_up_0d': expected a number and one of"),
        ("y_up_5m", "target 'y_up_5m': the horizon is no multiple of the bar interval 1d"),
    ],
)
def test_targets_that_no_kind_has(tmp_path: Path, source: Callable[..., Path], target: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        prepare(source(), tmp_path / "data", targets=[target])


def test_bars_are_gathered_to_longer_ones(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    minutes = bars(1200).with_columns(
        ts=pl.datetime(2024, 1, 1, 9, 30) + pl.duration(minutes=pl.int_range(pl.len()).over("symbol")),
        vwap=pl.col("close"),
    )
    sparse = minutes.filter(pl.int_range(pl.len()) % 7 != 3)
    summary = prepare(source(sparse), tmp_path / "data", resample="5m", targets=["y_up_25m"])
    assert summary.bar_interval_us == 5 * 60_000_000
    row = stored(tmp_path / "data", "BBB").row(3, named=True)
    window = sparse.filter(
        pl.col("symbol") == "BBB",
        pl.col("ts") >= pl.datetime(2024, 1, 1, 9, 45),
        pl.col("ts") < pl.datetime(2024, 1, 1, 9, 50),
    )
    assert row["ts"].strftime("%H:%M") == "09:45"
    assert (row["open"], row["close"]) == (window["open"][0], window["close"][-1])
    assert (row["high"], row["low"], row["volume"]) == (
        window["high"].max(),
        window["low"].min(),
        window["volume"].sum(),
    )
    assert row["vwap"] == pytest.approx(np.average(window["close"], weights=window["volume"]))
    assert load_panel(tmp_path / "data", DataConfig()).bar_interval_us == 5 * 60_000_000
    for wrong, said in (("soon", "resample: expected a number"), ("90s", "resample 90s: expected a multiple of")):
        with pytest.raises(UsageError, match=said):
            prepare(source(), tmp_path / "other", resample=wrong)


def test_no_close(tmp_path: Path, source: Callable[..., Path], bars: Bars) -> None:
    with pytest.raises(DataError, match="no column 'close' that all files have"):
        prepare(source(bars().drop("close")), tmp_path / "data")
    with pytest.raises(DataError, match="no bar has a positive close"):
        prepare(source(bars().with_columns(close=pl.lit(0.0))), tmp_path / "data")
