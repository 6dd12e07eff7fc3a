import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute.config.schema import DataConfig
from trainroute.errors import ConfigError
from trainroute.panel import Panel, data_fingerprint, load_bars, load_panel

Frame = Callable[..., pl.DataFrame]
Hive = Callable[..., Path]
DAY = 86_400_000_000
CONFIG = DataConfig()


def same(a: Panel, b: Panel) -> None:
    assert a.symbols == b.symbols
    assert a.features == b.features
    assert a.targets == b.targets
    np.testing.assert_array_equal(a.timestamps, b.timestamps)
    for left, right in zip(a.rows, b.rows, strict=True):
        np.testing.assert_array_equal(left.time_index, right.time_index)
        np.testing.assert_allclose(left.features, right.features, rtol=1e-6)
        np.testing.assert_allclose(left.targets, right.targets, rtol=1e-6)
        np.testing.assert_array_equal(left.label_end, right.label_end)


def test_a_panel_is_what_stands_in_the_files(hive: Hive, frame: Frame) -> None:
    a, b = frame(40), frame(30, seed=1)
    data_dir = hive(B=b, A=a)
    panel = load_panel(data_dir, CONFIG)
    assert panel.symbols == ("A", "B")
    assert panel.features == ("mom", "vol")
    assert [target.name for target in panel.targets] == ["fwd_ret_5d", "y_up_5d"]
    assert panel.bar_interval_us == DAY
    assert len(panel.timestamps) == 40
    assert panel.n_rows == 70
    first = panel.rows[0]
    np.testing.assert_array_equal(panel.timestamps[first.time_index], a["ts"].to_physical().to_numpy())
    np.testing.assert_array_equal(first.features, a.select("mom", "vol").to_numpy().astype(np.float32))
    np.testing.assert_array_equal(first.targets, a.select("fwd_ret_5d", "y_up_5d").to_numpy().astype(np.float32))
    assert panel.fingerprint == data_fingerprint(data_dir, None)
    assert panel.repairs == ()


def test_arrays_have_the_documented_types(hive: Hive, frame: Frame) -> None:
    rows = load_panel(hive(A=frame()), CONFIG).rows[0]
    assert (rows.time_index.dtype, rows.features.dtype, rows.targets.dtype) == (np.int32, np.float32, np.float32)
    assert rows.label_end.dtype == np.int64
    assert rows.features.flags.c_contiguous
    assert rows.targets.flags.c_contiguous


def test_every_layout_gives_the_same_panel(tmp_path: Path, hive: Hive, frame: Frame) -> None:
    tables = {"A": frame(40), "B": frame(30, seed=1)}
    reference = load_panel(hive(**tables), CONFIG)
    flat, nested, long, split = (tmp_path / name for name in ("flat", "nested", "long", "split"))
    for folder in (flat, nested / "interval=1d" / "symbol=A", nested / "interval=1d" / "symbol=B", long, split):
        folder.mkdir(parents=True)
    for symbol, table in tables.items():
        table.write_parquet(flat / f"{symbol}.parquet")
        table.write_csv(nested / "interval=1d" / f"symbol={symbol}" / "rows.csv")
    everything = pl.concat([table.with_columns(symbol=pl.lit(symbol)) for symbol, table in tables.items()])
    everything.sort("ts").write_parquet(long / "all.parquet")
    everything[:35].write_csv(split / "part1.csv")
    everything[35:].write_parquet(split / "part2.parquet")
    for folder in (flat, nested, long, split, long / "all.parquet"):
        same(load_panel(folder, CONFIG), reference)


@pytest.mark.parametrize("name", ["timestamp", "datetime", "date", "Date"])
def test_every_time_column_is_known(tmp_path: Path, hive: Hive, frame: Frame, name: str) -> None:
    reference = load_panel(hive(A=frame()), CONFIG)
    zoned = frame().with_columns(pl.col("ts").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    zoned.rename({"ts": name}).write_parquet(tmp_path / "A.parquet")
    same(load_panel(tmp_path / "A.parquet", CONFIG), reference)


def test_symbols_targets_and_features_restrict(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(), B=frame(seed=1), C=frame(seed=2))
    panel = load_panel(data_dir, CONFIG, symbols=["C", "A"], targets=["y_up_5d"], features=["vol"])
    assert (panel.symbols, panel.features) == (("A", "C"), ("vol",))
    assert [target.name for target in panel.targets] == ["y_up_5d"]
    assert panel.fingerprint == data_fingerprint(data_dir, ["A", "C"]) != data_fingerprint(data_dir, None)


def test_a_long_file_is_restricted_too(tmp_path: Path, frame: Frame) -> None:
    long = pl.concat([frame(seed=k).with_columns(symbol=pl.lit(s)) for k, s in enumerate("ABC")])
    long.write_parquet(tmp_path / "all.parquet")
    assert load_panel(tmp_path, CONFIG, symbols=["B"]).symbols == ("B",)


def test_numbers_that_look_like_symbols_keep_their_zeros(tmp_path: Path, frame: Frame) -> None:
    frame().with_columns(symbol=pl.lit("0700")).write_csv(tmp_path / "all.csv")
    assert load_panel(tmp_path, CONFIG).symbols == ("0700",)


def test_raw_bars_ids_labels_and_text_are_no_features(hive: Hive, frame: Frame) -> None:
    table = frame(
        close=np.arange(40.0),
        Volume=np.arange(40),
        permno=np.arange(40),
        sector=["tech", "oil"] * 20,
        flag=[True, False] * 20,
        target_other_5d=np.arange(40.0),
        secret=np.arange(40),
        when=pl.col("ts"),
    )
    config = DataConfig(exclude_columns=("secret",))
    data_dir = hive(A=table)
    panel = load_panel(data_dir, config, targets=["y_up_5d"])
    assert panel.features == ("flag", "mom", "vol")
    assert panel.repairs == ("columns without numbers left out: sector, when",)
    raw = load_panel(data_dir, DataConfig(use_raw_columns=True, exclude_columns=("secret",)))
    assert raw.features == ("Volume", "close", "flag", "mom", "vol")


def test_an_excluded_column_that_no_file_has_is_an_error_with_the_nearest(hive: Hive, frame: Frame) -> None:
    config = DataConfig(exclude_columns=("secrte",))
    with pytest.raises(ConfigError, match=r"^data\.exclude_columns: unknown column 'secrte'; did you mean 'secret'\?$"):
        load_panel(hive(A=frame(secret=np.arange(40))), config)


def test_an_excluded_column_may_be_in_the_files_of_other_symbols_only(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(), B=frame(secret=np.arange(40)))
    panel = load_panel(data_dir, DataConfig(exclude_columns=("secret",)), symbols=["A"])
    assert panel.symbols == ("A",)


def test_missing_values_are_nan(hive: Hive, frame: Frame) -> None:
    table = frame(mom=[None, float("nan"), *np.arange(38.0)], y_up_5d=[None, *([0, 1, 1] * 13)])
    panel = load_panel(hive(A=table), CONFIG)
    rows = panel.rows[0]
    assert np.isnan(rows.features[:3, 0]).tolist() == [True, True, False]
    assert np.isnan(rows.targets[:2, 1]).tolist() == [True, False]


def test_repairs_are_made_reported_and_logged(hive: Hive, frame: Frame, caplog: pytest.LogCaptureFixture) -> None:
    odd = frame(empty=pl.lit(None, pl.Float64), same=pl.lit(3), name=pl.lit("x"), date=pl.lit("2020-01-01"))
    data_dir = hive(A=odd, B=odd.reverse())
    with caplog.at_level(logging.INFO, logger="trainroute"):
        panel = load_panel(data_dir, CONFIG)
    assert panel.repairs == (
        "columns without numbers left out: name",
        "constant features left out: same",
        "features without any value left out: empty",
        "rows not in time order were sorted: B",
        "time is read from 'ts'; left out: date",
    )
    assert all(f"Repaired on reading: {line}" in caplog.messages for line in panel.repairs)
    np.testing.assert_array_equal(panel.rows[0].features, panel.rows[1].features)
    assert panel.features == ("mom", "vol")


def test_a_feature_that_is_constant_in_one_symbol_only_stays(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(beta=pl.lit(1.0)), B=frame(beta=pl.lit(2.0)), C=frame(beta=pl.lit(None, pl.Float64)))
    assert "beta" in load_panel(data_dir, CONFIG).features


def test_empty_columns_of_a_csv_are_numbers_where_another_file_has_numbers(tmp_path: Path, frame: Frame) -> None:
    frame(rain=pl.lit(None, pl.Float64)).write_csv(tmp_path / "A.csv")
    frame(rain=pl.int_range(40)).write_csv(tmp_path / "B.csv")
    panel = load_panel(tmp_path, CONFIG)
    assert "rain" in panel.features
    assert np.isnan(panel.rows[0].features[:, panel.features.index("rain")]).all()


def test_progress_has_one_part_per_symbol(hive: Hive, frame: Frame) -> None:
    steps: list[tuple[str, int]] = []
    advances: list[int] = []

    class Heard:
        @contextmanager
        def step(self, label: str, total: int) -> Iterator["Heard"]:
            steps.append((label, total))
            yield self

        def advance(self, n: int = 1) -> None:
            advances.append(n)

    load_panel(hive(A=frame(), B=frame(), C=frame()), CONFIG, progress=Heard())
    assert (steps, advances) == ([("Reading data", 3)], [1, 1, 1])


def test_bars_come_as_stored(hive: Hive, bars: Frame) -> None:
    stored = bars(30, ("A",)).drop("symbol").with_columns(pl.col("close").cast(pl.Float32), x=pl.lit(1.0))
    loaded = load_bars(hive(A=stored.rename({"open": "Open"}).reverse()), CONFIG, "A")
    assert loaded.columns == ["ts", "open", "high", "low", "close", "volume"]
    assert loaded.schema["ts"] == pl.Datetime("us", "UTC")
    assert loaded.schema["close"] == pl.Float32
    assert loaded["open"].to_list() == stored["open"].to_list()
