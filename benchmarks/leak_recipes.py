"""Recipes of a feature ``x``, as a user registers them: four that need the future, four that do not.

Each takes what is known at a time (``symbol, ts, close, volume, y_up_5d``) and returns ``symbol, ts, x``.
"""

import numpy as np
import polars as pl

LEAKY = ("next_close", "centred_window", "scaled_over_the_sample", "target_encoding")
HONEST = ("momentum", "volatility", "scaled_so_far", "encoding_of_known_labels")


def history(seed: int, n_symbols: int = 4, n_rows: int = 500) -> pl.DataFrame:
    """Return daily closes and volumes of some symbols, with the label that the close of five days on is higher."""
    pieces = []
    for s in range(n_symbols):
        rng = np.random.default_rng((seed, s))
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n_rows + 5)))
        days = pl.datetime(2015, 1, 1, time_zone="UTC") + pl.duration(days=pl.int_range(n_rows))
        columns = {
            "close": close[:n_rows],
            "volume": rng.integers(1, 6, n_rows).astype(float),
            "y_up_5d": (close[5:] > close[:n_rows]).astype(float),
        }
        pieces.append(pl.DataFrame(columns).select(pl.lit(f"S{s}").alias("symbol"), days.alias("ts"), pl.all()))
    return pl.concat(pieces)


def next_close(known: pl.DataFrame) -> pl.DataFrame:
    """Return the next bar's close."""
    return _of(known, pl.col("close").shift(-1))


def centred_window(known: pl.DataFrame) -> pl.DataFrame:
    """Return a mean of five bars around each."""
    return _of(known, pl.col("close").rolling_mean(5, center=True))


def scaled_over_the_sample(known: pl.DataFrame) -> pl.DataFrame:
    """Return the close in standard deviations of the whole history."""
    return _of(known, (pl.col("close") - pl.col("close").mean()) / pl.col("close").std())


def target_encoding(known: pl.DataFrame) -> pl.DataFrame:
    """Return the mean label of the category that ``volume`` stands for."""
    mean = pl.col("y_up_5d").mean().over("symbol", "volume")
    return known.select("symbol", "ts", mean.alias("x"))


def momentum(known: pl.DataFrame) -> pl.DataFrame:
    """Return the return of ten bars."""
    return _of(known, pl.col("close") / pl.col("close").shift(10) - 1)


def volatility(known: pl.DataFrame) -> pl.DataFrame:
    """Return the standard deviation of the last twenty returns."""
    return _of(known, pl.col("close").log().diff().rolling_std(20))


def scaled_so_far(known: pl.DataFrame) -> pl.DataFrame:
    """Return the close less its mean up to the bar."""
    return _of(known, pl.col("close") - pl.col("close").cum_sum() / pl.int_range(1, pl.len() + 1))


def encoding_of_known_labels(known: pl.DataFrame) -> pl.DataFrame:
    """Return how many labels that were over by then were 1."""
    return _of(known, pl.col("y_up_5d").shift(5).fill_null(0.0).cum_sum())


def without_the_feature(known: pl.DataFrame) -> pl.DataFrame:
    """Return no feature: a mistake."""
    return known.select("symbol", "ts")


def _of(known: pl.DataFrame, x: pl.Expr) -> pl.DataFrame:
    return known.select("symbol", "ts", x.over("symbol").alias("x"))
