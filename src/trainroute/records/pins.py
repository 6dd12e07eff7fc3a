"""Which pairs of a table a pin means."""

from collections.abc import Sequence

import polars as pl

from trainroute.config.pins import Pin
from trainroute.records.patterns import matching


def pinned_pairs(pins: Sequence[Pin], pairs: pl.DataFrame) -> list[pl.Expr]:
    """Return for each pin whether it means a row of a table with ``target`` and ``symbol``."""
    if not pins:
        return []
    targets, symbols = (pairs[name].drop_nulls().unique().to_list() for name in ("target", "symbol"))
    meant = []
    for pin in pins:
        means = pl.col("target").is_in(sorted(matching(pin.target, targets)))
        if pin.symbol is not None:
            means &= pl.col("symbol").is_in(sorted(matching(pin.symbol, symbols)))
        meant.append(means)
    return meant


def unmatched_pins(pins: Sequence[Pin], pairs: pl.DataFrame) -> list[str]:
    """Name the pins that mean no row of a table with ``target`` and ``symbol``."""
    counted = pairs.select(means.any().alias(str(n)) for n, means in enumerate(pinned_pairs(pins, pairs)))
    return [pin.describe(n + 1) for n, pin in enumerate(pins) if not counted[str(n)].item()]
