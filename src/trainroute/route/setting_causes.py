"""Which settings gave pairs another route, key by key.

1. `settings_between`: the keys that differ, each pin by itself.
2. `named_keys`: of each pair for which the settings are blamed the keys that did it, found by deciding again.
3. `of_named_keys`: of the crossed rules those that such a key moved; `without_rules`: the keys that moved no rule.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import polars as pl
from pydantic import ValidationError

from trainroute.config.changes import PINS, changed_settings
from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.records.routing import RoutingPlan
from trainroute.route.factors import CLASSIFIES, Factor, Factors, Mixture, any_blamed, blamed_of, routes_again

Settings = Mapping[str, tuple[Any, Any]]
"""The config keys that differ, with both values."""

_PAIR = ["target", "symbol"]
_PIN = r"(?s)^pin \d+ \((.*)\)$"
"""How `Pin.describe` names one; what it means stands in brackets."""
_NAMED = {"row": pl.UInt32(), "name": pl.String()}


def settings_between(before: RoutingPlan, after: RoutingPlan) -> dict[str, tuple[Any, Any]]:
    """Return the keys of `routing` and `planning` that differ between two plans, with both values."""
    routing = changed_settings(before.routing.model_dump(mode="json"), after.routing.model_dump(mode="json"), "routing")
    planning = changed_settings(
        before.planning.model_dump(mode="json"), after.planning.model_dump(mode="json"), "planning"
    )
    return routing | planning


def named_keys(changed: pl.DataFrame, factors: Factors, settings: Settings) -> pl.DataFrame:
    """Name the keys that gave pairs another route, of pairs for which the settings are blamed.

    Each key is looked at as `Factors.blamed` looks at factors: in the plan before or, where other factors are needed
    too, in the one after. Of pairs whose states alone changed every key is named.

    Returns
    -------
    polars.DataFrame
        ``row, name``, one row per key; a pin is named by itself.
    """
    keys = list(dict.fromkeys(PINS if key.startswith(f"{PINS}[") else key for key in settings))
    keys = [key for key in keys if key.startswith("routing.")]
    lone = ~any_blamed(*(factor for factor in Factor if factor is not Factor.CONFIG))
    blamed, moved = changed.filter("by_config"), pl.col("route_before") != pl.col("route_after")
    parts = [blamed.filter(~moved).select("row").join(_names(keys), how="cross")]
    for rows, mixture in ((lone, Mixture()), (~lone, factors.all - {Factor.CONFIG})):
        of_mixture = blamed.filter(moved & rows)
        if len(keys) > 1 and of_mixture.height:
            parts.append(_keys_blamed(of_mixture, factors, mixture, keys))
        else:
            parts.append(of_mixture.select("row").join(_names(keys), how="cross"))
    return _with_pins(pl.concat([pl.DataFrame(schema=_NAMED), *parts]), changed, factors, settings)


def of_named_keys(crossings: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Leave out what no named key of the rule itself moved: another setting did, and is named without a rule."""
    own = _linked(named, crossings).select("row", "key", own=pl.lit(value=True)).unique()
    found = crossings.join(own, on=["row", "key"], how="left", maintain_order="left")
    by_config = pl.col("by_config") & pl.col("own").fill_null(value=False)
    return found.with_columns(by_config=by_config).drop("own").filter(any_blamed())


def without_rules(named: pl.DataFrame, crossings: pl.DataFrame) -> pl.DataFrame:
    """Return ``row, keys``: the lists of named keys that no crossed rule speaks of."""
    rules = crossings.filter("by_config").select("row", "key").unique()
    said = _linked(named, crossings).join(rules, on=["row", "key"], how="semi")
    silent = named.join(said, on=["row", "name"], how="anti")
    return silent.group_by("row", maintain_order=True).agg(keys="name")


def _linked(named: pl.DataFrame, crossings: pl.DataFrame) -> pl.DataFrame:
    """Add to named keys the ``key`` of the rules that they hold the threshold of, perhaps for one task alone."""
    rules = crossings["key"].drop_nulls().unique()
    links = [(name, key) for name in named["name"].unique() for key in rules if f"{name}.".startswith(f"{key}.")]
    table = pl.DataFrame(links, schema={"name": pl.String, "key": pl.String}, orient="row")
    return named.join(table, on="name", how="inner", maintain_order="left")


def _names(keys: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"name": keys}, schema={"name": pl.String})


def _keys_blamed(rows: pl.DataFrame, factors: Factors, mixture: Mixture, keys: list[str]) -> pl.DataFrame:
    """Name the keys that give the new route alone, else those without which it is not given, else all."""
    old, new = factors.config(mixture), factors.after[1]

    def decided(key: str, config: RoutingConfig, other: RoutingConfig) -> pl.Series | None:
        changed = _with_key(config, other, key)
        if changed is None:
            return None
        with_key = (key.startswith(CLASSIFIES)) != (config is new)
        facts = factors.facts(mixture | {Factor.CONFIG} if with_key else mixture)
        return routes_again(rows, facts, changed)

    blamed = blamed_of(
        rows["route_after"],
        alone={key: decided(key, old, new) for key in keys},
        without={key: decided(key, new, old) for key in keys},
    )
    long = rows.select("row").hstack(blamed).unpivot(index="row", variable_name="name").filter("value")
    return long.select(*_NAMED)


def _with_key(config: RoutingConfig, other: RoutingConfig, key: str) -> RoutingConfig | None:
    """Return settings with one key as other settings have it; None where nobody can set it alone."""
    document, values = (one.model_dump(mode="json") for one in (config, other))
    below = key.removeprefix("routing.")
    put(document, below, reduce(lambda at, name: at[name], below.split("."), values))
    try:
        return RoutingConfig.model_validate(document)
    except ValidationError:  # out of order with its neighbours
        return None


def _with_pins(named: pl.DataFrame, changed: pl.DataFrame, factors: Factors, settings: Settings) -> pl.DataFrame:
    """Put single pins in place of all: those that decide the pair in one of the plans, else any of its target."""
    rows = named.filter(pl.col("name") == PINS).select("row")
    if rows.height == 0:
        return named
    known = [name for name in settings if name.startswith(f"{PINS}[")]
    pinned = pl.concat([plan.pairs.select(*_PAIR, "pinned_by").drop_nulls() for plan in factors.plans])
    pinned = pinned.select(
        *_PAIR, name=pl.concat_str(pl.lit(f"{PINS}["), pl.col("pinned_by").str.extract(_PIN), pl.lit("]"))
    )
    pinned = pinned.filter(pl.col("name").is_in(known)).unique(maintain_order=True)
    pairs = rows.join(changed.select("row", *_PAIR), on="row", how="left", maintain_order="left")
    own = pairs.join(pinned, on=_PAIR, how="inner", maintain_order="left").select("row", "name")
    others = pairs.join(own, on="row", how="anti").join(
        pinned.select("target", "name").unique(maintain_order=True), on="target", how="inner", maintain_order="left"
    )
    single = pl.concat([own, others.select("row", "name")])
    replaced = (pl.col("name") == PINS) & pl.col("row").is_in(single["row"].implode())
    return pl.concat([named.filter(~replaced), single])
