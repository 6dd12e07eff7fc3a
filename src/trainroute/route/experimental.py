"""The cap on the experimental lane: at most a fraction of a target's symbols keep it, best first."""

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.routing import pooled_score_on_symbol, score_column
from trainroute.records.vocabulary import RouteState, SignalState
from trainroute.route.checks import Cause, setting

LANE_KEY = "routing.experimental.max_fraction_symbols_per_target"


def capped(pairs: pl.DataFrame, config: RoutingConfig, provided: frozenset[str]) -> pl.DataFrame:
    """Turn experimental pairs beyond the cap into BLOCKED and say why in ``over``; parameters as of `beyond_cap`."""
    full = beyond_cap(pairs, config, provided).select(
        "target",
        "symbol",
        over=pl.concat_str(
            pl.lit("experimental lane is full: place "),
            pl.col("rank").cast(pl.String),
            pl.lit(" of "),
            pl.col("qualify").cast(pl.String),
            pl.lit(" that qualify, "),
            pl.col("keep").cast(pl.String),
            pl.lit(f" may keep it ({config.experimental.max_fraction_symbols_per_target} of "),
            pl.col("symbols").cast(pl.String),
            pl.lit(" symbols)"),
        ),
    )
    over = pl.col("over").is_not_null()
    return pairs.join(full, on=["target", "symbol"], how="left", maintain_order="left").with_columns(
        route=pl.when(over).then(pl.lit(RouteState.ROUTE_BLOCKED.value)).otherwise("route"),
        blocked_by=pl.when(over).then(pl.lit(Cause.LANE_FULL.value)).otherwise("blocked_by"),
    )


def beyond_cap(pairs: pl.DataFrame, config: RoutingConfig, provided: frozenset[str]) -> pl.DataFrame:
    """Return the experimental pairs that do not keep the lane, with ``rank, qualify, keep, symbols``.

    At most floor(``max_fraction_symbols_per_target`` × the target's symbols) keep it, but one if any qualifies and the
    fraction is above zero; best score first, then by name. A pair is ranked by the side that would train, a pooled side
    that was not measured on the symbol by its target's score. A pair that a pin puts there takes no place.

    Parameters
    ----------
    pairs : polars.DataFrame
        With ``target, symbol, route, forced, local_state, blocked_by, target_score`` and the two score columns.
    config : RoutingConfig
    provided : frozenset of str
        The columns that the candidates had.
    """
    fraction = setting(LANE_KEY, config.experimental.max_fraction_symbols_per_target, provided)
    return (
        pairs.select("target", "symbol", *standing(config, provided), symbols=pl.len().over("target"), share=fraction)
        .filter("asks")
        .sort(["target", "lane_score", "symbol"], descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("target"), qualify=pl.len().over("target"))
        .with_columns(keep=places(pl.col("symbols"), pl.col("share")))
        .filter(pl.col("rank") > pl.col("keep"))
    )


def standing(config: RoutingConfig, provided: frozenset[str]) -> tuple[pl.Expr, pl.Expr]:
    """Return whether a decided pair ``asks`` for a place, and the ``lane_score`` that it is ranked by if it does."""
    asks = (pl.col("route") == RouteState.ROUTE_EXPERIMENTAL_ONLY) & pl.col("forced").is_null()
    score = lane_score(score_column(config, provided), pooled_score_on_symbol(config, provided))
    return asks.alias("asks"), score.alias("lane_score")


def queue(pairs: pl.DataFrame, config: RoutingConfig, provided: frozenset[str]) -> pl.DataFrame:
    """Return ``symbol, asks, lane_score`` of decided pairs of one target, whether they keep a place or not."""
    asks = in_queue() & pl.col("forced").is_null()
    return pairs.select("symbol", asks.alias("asks"), standing(config, provided)[1])


def stands_ahead(symbol: str) -> pl.Expr:
    """Whether a pair that asks for a place stands ahead of ``symbol``, which is ranked by ``own_score``."""
    score, own = pl.col("lane_score"), pl.col("own_score")
    return (score > own) | ((score == own) & (pl.col("symbol") < symbol))


def in_queue() -> pl.Expr:
    """Whether a pair, after the cap, keeps a place in the lane or waits for one."""
    return lane_full() | (pl.col("route") == RouteState.ROUTE_EXPERIMENTAL_ONLY)


def lane_full() -> pl.Expr:
    """Whether a pair, after the cap, waits for a place in the lane."""
    return (pl.col("blocked_by") == Cause.LANE_FULL).fill_null(value=False)


def lane_score(local_score: str, pooled_score: str) -> pl.Expr:
    """Return what a pair of the lane is ranked by, given the columns that its two sides are judged by."""
    pooled = pl.coalesce(pooled_score, "target_score")
    return pl.when(pl.col("local_state") == SignalState.EXPERIMENTAL).then(local_score).otherwise(pooled)


def places(symbols: pl.Expr, share: pl.Expr) -> pl.Expr:
    """Return how many of a target's symbols may keep the lane."""
    # 0.29 × 100 is 28.999999999999996 in floating point.
    whole = pl.max_horizontal(pl.lit(1), (symbols * share).round(9).floor().cast(pl.Int64))
    return pl.when(share == 0).then(0).otherwise(whole)
