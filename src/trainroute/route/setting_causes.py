"""Which settings gave pairs another route, key by key.

1. `settings_between`: the keys that differ, each pin by itself.
2. `of_changed_keys`: of the crossed rules, whose own key moved them.
3. `keys_of`: what no single rule shows (switches, the places of the experimental lane) is named by trying each changed
   key alone; a pin says itself which pairs it decided.
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
from trainroute.route.factors import CLASSIFIES, Factor, Factors, Mixture, any_blamed, routes_again

Settings = Mapping[str, tuple[Any, Any]]
"""The config keys that differ, with both values."""

_KEYS_TRIED = 12
_PIN = r"(?s)^pin \d+ \((.*)\)$"
"""How `Pin.describe` names one; what it means stands in brackets."""


def settings_between(before: RoutingPlan, after: RoutingPlan) -> dict[str, tuple[Any, Any]]:
    """Return the keys of `routing` and `planning` that differ between two plans, with both values."""
    routing = changed_settings(before.routing.model_dump(mode="json"), after.routing.model_dump(mode="json"), "routing")
    planning = changed_settings(
        before.planning.model_dump(mode="json"), after.planning.model_dump(mode="json"), "planning"
    )
    return routing | planning


def of_changed_keys(crossings: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Leave out what no changed key of the rule itself moved: another setting did, and is named by trying it alone."""
    changed = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.concat_str(pl.lit(key), pl.lit(".")).str.starts_with(pl.col("key") + ".") for key in settings),
    ).fill_null(value=False)
    return crossings.with_columns(by_config=pl.col("by_config") & changed).filter(any_blamed())


def keys_of(changed: pl.DataFrame, crossings: pl.DataFrame, factors: Factors, settings: Settings) -> pl.DataFrame:
    """Name the ``keys`` by which pairs changed of which no rule that the settings moved says why.

    A pin that changed says itself which pairs it decides or decided. Else those keys are named that give the new route
    when each is changed alone: in the plan before or, where other factors are needed too, in the one after.
    """
    by_rule = crossings.filter("by_config").select("row").unique()
    open_ones = changed.filter("by_config").join(by_rule, on="row", how="anti")
    by_pin = open_ones.select("row", keys=_pins(settings)).filter(pl.col("keys").list.len() > 0)
    open_ones = open_ones.join(by_pin, on="row", how="anti")
    lone = ~any_blamed(*(factor for factor in Factor if factor is not Factor.CONFIG))
    others = factors.all - {Factor.CONFIG}
    parts: list[tuple[pl.DataFrame, Mixture]] = [
        (open_ones.filter(lone), frozenset()),
        (open_ones.filter(~lone), others),
    ]
    return pl.concat([by_pin, *(_keys_alone(rows, factors, mixture, settings) for rows, mixture in parts)])


def _pins(settings: Settings) -> pl.Expr:
    """List the pins that changed and that decide a pair in one of the plans."""
    keys = [
        pl.concat_str(pl.lit(f"{PINS}["), pl.col(f"pinned_by_{when}").str.extract(_PIN), pl.lit("]"))
        for when in ("before", "after")
    ]
    known = pl.element().is_in([key for key in settings if key.startswith(f"{PINS}[")])
    return pl.concat_list(keys).list.unique(maintain_order=True).list.eval(pl.element().filter(known))


def _keys_alone(rows: pl.DataFrame, factors: Factors, mixture: Mixture, settings: Settings) -> pl.DataFrame:
    """List the keys that alone give each pair its new route; else those that give another one; else all that changed.

    All pins are one key here.
    """
    keys = list(dict.fromkeys(PINS if key.startswith(f"{PINS}[") else key for key in settings))
    keys = [key for key in keys if key.startswith("routing.")]
    tried: dict[str, pl.Expr] = {}
    for key in keys[:_KEYS_TRIED] if rows.height else []:
        config = _with_key(factors, mixture, key)
        if config is not None:
            facts = factors.facts(mixture | {Factor.CONFIG} if key.startswith(CLASSIFIES) else mixture)
            rows = rows.with_columns(routes_again(rows, facts, config).alias(key))
            tried[key] = pl.col(key)
    return rows.select("row", keys=_named(tried, keys))


def _with_key(factors: Factors, mixture: Mixture, key: str) -> RoutingConfig | None:
    """Return the settings of a mixture with one key as the plan after has it; None where nobody can set it alone."""
    document, other = (config.model_dump(mode="json") for config in (factors.config(mixture), factors.after[1]))
    below = key.removeprefix("routing.")
    put(document, below, reduce(lambda at, name: at[name], below.split("."), other))
    try:
        return RoutingConfig.model_validate(document)
    except ValidationError:  # out of order with its neighbours
        return None


def _named(tried: Mapping[str, pl.Expr], keys: list[str]) -> pl.Expr:
    """List the keys that give the new route alone; else those that give another one; else all that changed."""
    every = pl.concat_list([pl.lit(key) for key in keys] or [pl.lit(None, pl.String)])
    if not tried:
        return every
    new, old = pl.col("route_after"), pl.col("route_before")
    lists = [
        pl.concat_list([pl.when(found).then(pl.lit(key)) for key, found in answers.items()]).list.drop_nulls()
        for answers in (
            {key: route == new for key, route in tried.items()},
            {key: route != old for key, route in tried.items()},
        )
    ]
    return pl.when(lists[0].list.len() > 0).then(lists[0]).when(lists[1].list.len() > 0).then(lists[1]).otherwise(every)
