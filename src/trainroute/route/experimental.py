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
    score = lane_score(score_column(config, provided), pooled_score_on_symbol(config, provided))
    return (
        pairs.select(
            "target",
            "symbol",
            symbols=pl.len().over("target"),
            lane_score=score,
            share=fraction,
            asks=(pl.col("route") == RouteState.ROUTE_EXPERIMENTAL_ONLY) & pl.col("forced").is_null(),
        )
        .filter("asks")
        .sort(["target", "lane_score", "symbol"], descending=[False, True, False], nulls_last=True)
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("target"), qualify=pl.len().over("target"))
        .with_columns(keep=_places(pl.col("symbols"), pl.col("share")))
        .filter(pl.col("rank") > pl.col("keep"))
    )


def lane_score(local_score: str, pooled_score: str) -> pl.Expr:
    """Return what a pair of the lane is ranked by, given the columns that its two sides are judged by."""
    pooled = pl.coalesce(pooled_score, "target_score")
    return pl.when(pl.col("local_state") == SignalState.EXPERIMENTAL).then(local_score).otherwise(pooled)


def _places(symbols: pl.Expr, share: pl.Expr) -> pl.Expr:
    # 0.29 × 100 is 28.999999999999996 in floating point.
    places = pl.max_horizontal(pl.lit(1), (symbols * share).round(9).floor().cast(pl.Int64))
    return pl.when(share == 0).then(0).otherwise(places)
