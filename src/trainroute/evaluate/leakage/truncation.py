"""Compute features again from history that is cut off, and compare them with what the panel holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.errors import DataError
from trainroute.evaluate.design import feature_scale
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakContext
from trainroute.records.vocabulary import LeakageStatus

SPREAD_TOLERANCE = 1e-3
VALUE_TOLERANCE = 1e-5

Again = Callable[[int], pl.DataFrame]
"""From a time (µs) to a frame of ``symbol``, ``ts`` and features, made of what was known then."""


@dataclass(frozen=True)
class _Compared:
    differing: NDArray[np.int64]
    rows: int
    example: list[str]


def changed_features(
    check: str, context: LeakContext, names: Sequence[str], again: Again, cuts: Sequence[float]
) -> Iterator[LeakFinding]:
    """Yield a finding per feature whose value in any symbol's last row changes when later rows are cut off.

    Values differ when they are further apart than a thousandth of the feature's spread.

    Parameters
    ----------
    cuts : sequence of float
        Where to cut, as shares of the timestamps before the holdout.
    """
    compared = _compare(context, names, again, cuts)
    for i, name in enumerate(names):
        if compared.differing[i]:
            yield LeakFinding(
                check=check,
                feature=name,
                target=None,
                status=LeakageStatus.BLOCKED,
                statistic=round(float(compared.differing[i]) / compared.rows, 6),
                threshold=0.0,
                rows=compared.rows,
                detail=(
                    f"{compared.differing[i]} of {compared.rows} values change when later bars are cut off, "
                    f"e.g. {compared.example[i]}"
                ),
            )


def _compare(context: LeakContext, names: Sequence[str], again: Again, cuts: Sequence[float]) -> _Compared:
    times = context.panel.timestamps[context.panel.timestamps < context.split.boundaries[-1]]
    columns = [context.panel.features.index(name) for name in names]
    spread = feature_scale(context.panel, int(context.split.boundaries[-1])).spread[columns]
    differing, compared, example = np.zeros(len(names), np.int64), 0, [""] * len(names)
    for share in cuts:
        cut = int(times[int(share * (len(times) - 1))])
        last = _last_rows(again(cut), names)
        for rows in context.panel.rows:
            position = int(np.searchsorted(context.panel.timestamps[rows.time_index], cut, side="right")) - 1
            if position < 0 or rows.symbol not in last:
                continue
            moment, *known = last[rows.symbol]
            values = np.array([np.nan if v is None else v for v in known], np.float64)
            other = _differs(rows.features[position, columns].astype(np.float64), values, spread)
            compared += 1
            differing += other
            for i in np.flatnonzero(other):
                example[i] = f"{rows.symbol} at {moment:%Y-%m-%d %H:%M}"
    return _Compared(differing, compared, example)


def _last_rows(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, tuple[object, ...]]:
    missing = [name for name in ("symbol", "ts", *names) if name not in frame.columns]
    if missing:
        raise DataError(f"the recipe of {names[0]} returned no column {missing[0]!r}; got {frame.columns}")
    last = frame.select("symbol", "ts", *names).sort("symbol", "ts").group_by("symbol", maintain_order=True).last()
    return {symbol: tuple(rest) for symbol, *rest in last.rows()}


def _differs(stored: NDArray[np.float64], again: NDArray[np.float64], spread: NDArray[np.float32]) -> NDArray[np.bool_]:
    both = np.isnan(stored) & np.isnan(again)
    return ~(both | (np.abs(stored - again) <= SPREAD_TOLERANCE * spread + VALUE_TOLERANCE * np.abs(again)))
