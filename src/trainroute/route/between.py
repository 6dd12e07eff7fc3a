"""The rules between the two sides of a pair: whether the pool serves the symbol, and which side is the better one."""

from dataclasses import replace

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.vocabulary import LeakageStatus
from trainroute.route.checks import Cause, Check, Level, number, setting, word
from trainroute.route.hysteresis import cs_better_below, local_better_above, moved_where, was_served


def serving_checks(config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    """Return what takes a symbol out of the service of its pool: proof of a leak, or evidence of no skill."""
    p = pl.col("p_cs_skill")
    key = "routing.evidence.cs_on_symbol_below"
    least = moved_where(was_served(), setting(key, config.evidence.cs_on_symbol_below, provided), config.hysteresis)
    skill = number(
        Level.POOL,
        Cause.NOT_SERVED,
        "p_cs_skill",
        p,
        least,
        key=key,
        margin="p_cs_skill",
        source="p_cs_skill" in provided,
    )
    skill = replace(skill, passes=skill.passes | p.is_null())  # a new symbol has the prior of its target
    if not config.block_on_leakage:
        return [skill]
    blocked = LeakageStatus.BLOCKED
    leak = word(
        Level.POOL,
        Cause.LEAKAGE,
        "leakage of the symbol",
        pl.col("leakage_status"),
        "not BLOCKED",
        passes=pl.col("leakage_status") != blocked,
        failure=f"leakage of the symbol is {blocked.value}",
        key="routing.block_on_leakage",
    )
    return [leak, skill]


def choice_checks(config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    """Return what PREFER_BETTER looks at where both sides are good: local above the first, pooled below the second."""
    p, known = pl.col("p_local_better"), "p_local_better" in provided
    return [
        number(
            Level.CHOICE,
            Cause.COMPARED,
            "p_local_better",
            p,
            threshold,
            key=f"routing.evidence.{name}",
            margin=name,
            source=known,
            strictly=strictly,
        )
        for name, threshold, strictly in (
            ("local_better_above", local_better_above(config, provided), True),
            ("cs_better_below", cs_better_below(config, provided), False),
        )
    ]


def taken_out(checks: list[Check]) -> pl.Expr:
    """Return why the pool does not serve a symbol, by its `serving_checks`; null where it does."""
    return pl.coalesce([pl.when(~check.passes).then(check.failure) for check in checks])
