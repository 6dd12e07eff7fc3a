"""Small panels on disk."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

SHARED_DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def daily(n: int, start: datetime = datetime(2020, 1, 1)) -> pl.Series:  # noqa: DTZ001 - naive on purpose
    return pl.datetime_range(start, pl.lit(start).dt.offset_by(f"{n - 1}d"), "1d", eager=True).alias("ts")


@pytest.fixture
def frame() -> Callable[..., pl.DataFrame]:
    """Make daily rows with two features, a binary and a regression target; keywords replace or add columns."""

    def make(n: int = 40, seed: int = 0, **columns: object) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        table = pl.DataFrame(
            {
                "ts": daily(n),
                "mom": rng.normal(size=n),
                "vol": rng.normal(size=n).astype(np.float32),
                "y_up_5d": rng.permutation(np.arange(n) % 2),
                "fwd_ret_5d": rng.normal(size=n),
            }
        )
        return table.with_columns(**{k: v if isinstance(v, pl.Expr) else pl.Series(k, v) for k, v in columns.items()})

    return make


@pytest.fixture
def bars() -> Callable[..., pl.DataFrame]:
    """Make daily OHLCV bars of some symbols as a long frame."""

    def make(n: int = 420, symbols: tuple[str, ...] = ("AAA", "BBB"), seed: int = 0) -> pl.DataFrame:
        parts = []
        for k, symbol in enumerate(symbols):
            rng = np.random.default_rng(seed + k)
            close = 100 * np.exp(np.cumsum(rng.normal(scale=0.02, size=n)))
            start = close * np.exp(rng.normal(scale=0.005, size=n))
            part = pl.DataFrame(
                {
                    "ts": daily(n),
                    "open": start,
                    "high": np.maximum(start, close) * 1.01,
                    "low": np.minimum(start, close) * 0.99,
                    "close": close,
                    "volume": rng.integers(1000, 9000, n),
                }
            )
            parts.append(part.select(pl.lit(symbol).alias("symbol"), pl.all()))
        return pl.concat(parts)

    return make


@pytest.fixture
def hive(tmp_path: Path) -> Callable[..., Path]:
    """Write frames as ``data/symbol=X/X.parquet``."""

    def write(**frames: pl.DataFrame) -> Path:
        for symbol, table in frames.items():
            folder = tmp_path / "data" / f"symbol={symbol}"
            folder.mkdir(parents=True)
            table.write_parquet(folder / f"{symbol}.parquet")
        return tmp_path / "data"

    return write


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not on this machine")
    return SHARED_DATA
