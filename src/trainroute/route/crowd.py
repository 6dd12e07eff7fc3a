"""Where a setting moves so many others into the experimental lane, or out of it, that a pair loses or wins its place.

A setting moves a symbol only at that symbol's own *steps*: the values at which one of its rules answers otherwise. At a
*stop* a rule of the pair or of its pool does. From one stop to the next is a *stretch*.

1. `_stretches`: in each direction, from what is set to where the pair leaves the queue by itself.
2. `_Crowd._standing`: all symbols as they are where a stretch begins, and each once more at each of its steps.
3. `_Crowd.moves`: with the steps in their order, those are counted that ask for a place ahead of the pair. The first
   value at which the count lets it in or leaves it out is what is found.

So thousands of values are looked at by deciding each symbol a few times.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from math import inf

import polars as pl

from trainroute.config.keys import flat_settings
from trainroute.config.routing import RoutingConfig
from trainroute.parallel import in_threads
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import before_cap
from trainroute.route.experimental import places, queue, standing, stands_ahead
from trainroute.route.facts import Facts, with_target, without_target
from trainroute.route.rerouting import ROWS_AT_ONCE, Alone, of_any_target
from trainroute.route.trials import Trial

_STRETCH: dict[str, pl.DataType] = {
    "copy": pl.Int64(),
    "key": pl.String(),
    "sign": pl.Int64(),
    "start": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
"""A stretch: its number, key and direction, the value at its start, how far from what is set it begins and ends."""


def first_moves(
    facts: Facts,
    config: RoutingConfig,
    pairs: pl.DataFrame,
    symbol: str,
    steps: pl.DataFrame,
    stops: Mapping[Trial, Alone],
) -> list[Trial]:
    """Return the first value, of each key in each direction, at which others move a pair into the lane or out of it.

    Parameters
    ----------
    facts : Facts
        Of one target, with all its symbols.
    config : RoutingConfig
    pairs : polars.DataFrame
        Its symbols, decided; the pair stands in the queue for the lane.
    symbol : str
    steps : polars.DataFrame
        ``key, symbol, value``: the steps of the other symbols.
    stops : mapping of Trial to Alone
        The pair by itself, at the values of these keys at which a rule of it or of its pool answers otherwise.
    """
    settings = flat_settings(config.model_dump(mode="json"), "routing")
    before = {key: settings[key] for key in steps["key"].unique().sort()}
    away = pl.col("value") - pl.col("key").replace_strict(before, return_dtype=pl.Float64)
    steps = steps.with_columns(sign=away.sign().cast(pl.Int64), distance=away.abs()).filter(pl.col("sign") != 0)
    stretches = pl.DataFrame(list(_stretches(before, stops)), schema=_STRETCH, orient="row")
    crowd = _Crowd(facts, config, pairs, symbol, before)
    batches = _batches(stretches, _within(stretches, steps), facts.pairs.height)
    found = in_threads(lambda batch: crowd.moves(*batch), batches)
    nearest: dict[tuple[str, int], float] = {}
    for _, key, sign, value in sorted(move for moves in found for move in moves.rows()):
        nearest.setdefault((key, sign), value)
    return [
        Trial(side=None, name=key, before=before[key], after=int(value) if isinstance(before[key], int) else value)
        for (key, _), value in nearest.items()
    ]


def _stretches(
    before: Mapping[str, float], stops: Mapping[Trial, Alone]
) -> Iterator[tuple[int, str, int, float, float, float]]:
    """Cut both ways of each key at its stops, the nearest first, up to where the pair leaves the queue by itself.

    There it stays out: each rule asks less in one direction and more in the other.
    """
    number = 0
    for key, sign in product(before, (-1, 1)):
        starts, end = {0.0: float(before[key])}, inf
        for trial, by_itself in stops.items():
            away = float(trial.after) - before[key] if trial.name == key else 0.0
            if away * sign > 0:
                starts[abs(away)] = float(trial.after)
                end = end if by_itself.asks else min(end, abs(away))
        reached = sorted(distance for distance in starts if distance < end)
        for low, high in pairwise([*reached, end]):
            yield number, key, sign, starts[low], low, high
            number += 1


def _within(stretches: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Return ``copy, symbol, value, distance`` of the steps that lie within a stretch, not at its start."""
    distance, low = pl.col("distance"), stretches.sort("low")
    found = steps.sort("distance").join_asof(
        low, left_on="distance", right_on="low", by=["key", "sign"], check_sortedness=False, coalesce=False
    )
    inside = found.filter(distance > pl.col("low"), distance < pl.col("high"))
    return inside.select("copy", "symbol", "value", "distance")


def _batches(stretches: pl.DataFrame, within: pl.DataFrame, n_symbols: int) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Put stretches together, with the steps within them, so that some ten thousand rows are decided at once."""
    counted = stretches.join(within.group_by("copy").len("steps"), on="copy", how="left", maintain_order="left")
    rows = pl.col("steps").fill_null(0) + pl.when(pl.col("low") > 0).then(n_symbols).otherwise(0)
    batches = counted.select(*_STRETCH, batch=rows.cum_sum() // ROWS_AT_ONCE).partition_by("batch", include_key=False)
    return [(batch, within.join(batch.select("copy"), on="copy", how="semi")) for batch in batches]


class _Crowd:
    """The symbols of a target, and a pair among them."""

    def __init__(
        self, facts: Facts, config: RoutingConfig, pairs: pl.DataFrame, symbol: str, before: Mapping[str, float]
    ) -> None:
        self.facts, self.symbol, self.before = facts, symbol, before
        self.config = of_any_target(config, facts.pooled["target"].item())
        own = pl.col("symbol") == symbol
        ahead = pl.col("asks") & stands_ahead(symbol) & ~own
        now = queue(pairs, config, facts.provided).with_columns(own_score=pl.col("lane_score").filter(own).first())
        self.now = now.select("symbol", ahead_now=ahead).with_row_index("place")
        self.keeps = pairs.filter(own)["route"].item() == RouteState.ROUTE_EXPERIMENTAL_ONLY

    def moves(self, stretches: pl.DataFrame, within: pl.DataFrame) -> pl.DataFrame:
        """Return ``distance, key, sign, value`` of the first move in each stretch that has one."""
        decided = self._standing(stretches, within)
        pair, at_stop = pl.col("symbol") == self.symbol, pl.col("low") > 0
        own = decided.filter(pair, "asks").select("copy", own_score="lane_score")
        same = (pl.col("place") == pl.col("place").shift()) & (pl.col("copy") == pl.col("copy").shift())
        ahead, now = pl.col("ahead").cast(pl.Int64), pl.when(at_stop).then(0).otherwise("ahead_now")
        counted = (
            decided.filter(~pair)
            .join(own, on="copy", maintain_order="left")
            .join(self.now, on="symbol", maintain_order="left")
            .with_columns(ahead=pl.col("asks") & stands_ahead(self.symbol))
            .sort("copy", "place", "distance")
            .with_columns(more=ahead - pl.when(same).then(ahead.shift()).otherwise(now))
            .group_by("copy", "distance")
            .agg(pl.col("more").sum(), pl.col("value", "low").first())
            .sort("copy", "distance")
            .with_columns(
                ahead=pl.col("more").cum_sum().over("copy")
                + pl.when(at_stop).then(0).otherwise(int(self.now["ahead_now"].sum()))
            )
        )
        keep = places(pl.lit(self.now.height), pl.lit(self.config.experimental.max_fraction_symbols_per_target))
        moved = counted.filter((pl.col("ahead") < keep) != self.keeps).unique("copy", keep="first", maintain_order=True)
        return moved.join(stretches, on="copy").select("distance", "key", "sign", "value")

    def _standing(self, stretches: pl.DataFrame, within: pl.DataFrame) -> pl.DataFrame:
        """Return who asks for a place by which score at each step, and at the stops all; the pair at each start."""
        starts = stretches.select("copy", "key", "low", value="start", distance="low")
        symbols = self.now.select("symbol")
        at_start = starts.join(symbols, how="cross").filter((pl.col("low") > 0) | (pl.col("symbol") == self.symbol))
        steps = within.join(stretches.select("copy", "key", "low"), on="copy", maintain_order="left")
        looked_at = pl.concat([at_start, steps.select(at_start.columns)])
        pooled = self._set(starts.join(self.facts.pooled, how="cross"))
        pairs = self._set(looked_at.join(without_target(self.facts.pairs), on="symbol", maintain_order="left"))
        known = self.facts.provided | self.before.keys()
        copied = Facts(pooled=pooled, pairs=with_target(pairs, pooled), provided=known)
        _, decided = before_cap(copied, self.config)
        return decided.select("copy", "symbol", "value", "distance", "low", *standing(self.config, known))

    def _set(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give each row its value of its key, and of other keys what is set; a copy goes by its number."""
        values = {}
        for key, value in self.before.items():
            dtype = pl.Int64() if isinstance(value, int) else pl.Float64()
            values[key] = pl.when(pl.col("key") == key).then("value").otherwise(value).cast(dtype)
        return frame.with_columns(target=pl.col("copy").cast(pl.String), **values)
