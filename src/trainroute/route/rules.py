"""The rules of one side as data: what each compares, when it passes, and how it says so.

Every rule is a `Check`: Polars expressions over the columns of `Facts`. The states (`trainroute.route.states`), the
reasons, the margins and the explanation of a single pair all come from the same list, so they cannot disagree.

1. Gates: any that fails makes the side DISALLOWED.
2. STRONG, WEAK_BUT_OK, EXPERIMENTAL: the first level whose checks all pass is the state; if none, DISALLOWED.

A check on a column that the table does not have is skipped, and the side is at most WEAK_BUT_OK.
"""

from dataclasses import replace

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.config.section import Threshold
from trainroute.records.routing import score_column
from trainroute.records.vocabulary import LeakageStatus, Mode, Task
from trainroute.route.checks import Cause, Check, Level, at_task, number, setting, word
from trainroute.route.facts import FAMILIES_COLUMN
from trainroute.route.hysteresis import eased

_KEY_OF_SIDE = {Mode.CROSS_SECTIONAL: "cross_sectional", Mode.SYMBOL: "symbol"}


def checks_of(side: Mode, config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    """Return the rules of one side in the order in which they apply, with the margins of hysteresis if it is on."""
    strict = strict_checks_of(side, config, provided)
    return eased(strict, config.hysteresis) if config.hysteresis.on else strict


def strict_checks_of(side: Mode, config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    """Return the rules of one side as if there was no previous plan."""
    return [*_gates(side, config, provided), *_levels(side, config, provided)]


def not_provided(config: RoutingConfig, provided: frozenset[str]) -> tuple[str, ...]:
    """Return the columns that a rule of one side would look at and that the table does not have."""
    wanted = {"n_eff", "minority_events", "leakage_status", FAMILIES_COLUMN, "stability", "score_ci_low", "p_skill"}
    if config.evidence.use_shrunk_score:
        wanted.add("score_shrunk")
    return tuple(sorted(wanted - provided))


def _gates(side: Mode, config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    pooled, name = side is Mode.CROSS_SECTIONAL, _KEY_OF_SIDE[side]
    rows = config.min_sample_size.cross_sectional if pooled else config.min_sample_size.symbol
    windows = config.min_effective_size.cross_sectional if pooled else config.min_effective_size.symbol
    return [
        _measured(side),
        *_leakage_gates(side, on=config.block_on_leakage),
        _minimum("sample_size", rows, Cause.TOO_FEW_ROWS, "rows", f"routing.min_sample_size.{name}", provided),
        _minimum(
            "n_eff",
            windows,
            Cause.EFFECTIVE_SIZE,
            "independent windows",
            f"routing.min_effective_size.{name}",
            provided,
        ),
        _events(config.min_minority_events, provided),
        _minimum(
            "successful_families",
            config.require_min_successful_families,
            Cause.FAILED_FAMILIES,
            "successful families",
            "routing.require_min_successful_families",
            provided,
        ),
        _scored(score_column(config, provided)),
    ]


def _measured(side: Mode) -> Check:
    return word(
        Level.GATE,
        Cause.NOT_MEASURED,
        "row",
        pl.when("measured").then(pl.lit("there")),
        "there",
        passes=pl.col("measured"),
        failure=f"the candidates hold no {side.value} row",
    )


def _scored(column: str) -> Check:
    return word(
        Level.GATE,
        Cause.NO_SCORE,
        "score",
        pl.col(column).cast(pl.String),
        "measured",
        passes=pl.col(column).is_not_null(),
        failure=f"no {column}",
    )


def _leakage_gates(side: Mode, *, on: bool) -> tuple[Check, ...]:
    columns = {"leakage_status": ("leakage", Cause.LEAKAGE)} if on else {}
    if on and side is Mode.SYMBOL:
        columns["target_leakage"] = ("leakage of the target", Cause.TARGET_LEAKAGE)
    blocked = LeakageStatus.BLOCKED
    return tuple(
        word(
            Level.GATE,
            cause,
            label,
            pl.col(name),
            "not BLOCKED",
            passes=pl.col(name) != blocked,
            failure=f"{label} is {blocked.value}",
            key="routing.block_on_leakage",
        )
        for name, (label, cause) in columns.items()
    )


def _levels(side: Mode, config: RoutingConfig, provided: frozenset[str]) -> list[Check]:
    pooled, name = side is Mode.CROSS_SECTIONAL, _KEY_OF_SIDE[side]
    scores = config.cross_sectional if pooled else config.symbol
    allowed = config.stability_allowlist.cross_sectional if pooled else config.stability_allowlist.symbol
    skill = config.evidence.min_p_skill
    column = score_column(config, provided)
    strong, weak, lane = Level.STRONG, Level.WEAK_BUT_OK, Level.EXPERIMENTAL
    allowlist = f"routing.stability_allowlist.{name}"
    score_key, skill_key = f"routing.{name}", "routing.evidence.min_p_skill"
    return [
        _score(strong, column, scores.strong_score, "strong_score", f"{score_key}.strong_score", provided),
        _stability(strong, allowed, allowlist),
        _clean(),
        _interval(config.evidence.require_ci_above, provided),
        _p_skill(strong, skill.strong, "strong_p_skill", f"{skill_key}.strong", provided),
        _complete(not_provided(config, provided)),
        _score(weak, column, scores.min_score, "min_score", f"{score_key}.min_score", provided),
        _stability(weak, allowed, allowlist),
        _p_skill(weak, skill.weak, "min_p_skill", f"{skill_key}.weak", provided),
        _lane(config.enable_experimental_lane, provided),
        _score(
            lane,
            column,
            config.experimental.min_score,
            "experimental_score",
            "routing.experimental.min_score",
            provided,
        ),
        _stability(lane, config.experimental.allowed_stabilities, "routing.experimental.allowed_stabilities"),
        _p_skill(lane, skill.experimental, "experimental_p_skill", f"{skill_key}.experimental", provided),
    ]


def _minimum(column: str, least: int, cause: Cause, label: str, key: str, provided: frozenset[str]) -> Check:
    source = FAMILIES_COLUMN if column == "successful_families" else column
    return number(
        Level.GATE,
        cause,
        label,
        pl.col(column),
        setting(key, least, provided),
        key=key,
        margin=column,
        off_at_zero=True,
        source=source in provided,
    )


def _events(least: int, provided: frozenset[str]) -> Check:
    regression = (pl.col("task_type") == Task.REGRESSION).fill_null(value=False)
    value = pl.when(~regression).then("minority_events")
    key = "routing.min_minority_events"
    check = number(
        Level.GATE,
        Cause.MINORITY_EVENTS,
        "events of the rarer class",
        value,
        setting(key, least, provided),
        key=key,
        margin="minority_events",
        off_at_zero=True,
        source="minority_events" in provided,
    )
    return replace(check, passes=check.passes | regression)


def _score(level: Level, column: str, threshold: Threshold, margin: str, key: str, provided: frozenset[str]) -> Check:
    least = at_task(key, threshold, provided)
    return number(level, Cause.SCORE, "score", pl.col(column), least, key=key, margin=margin)


def _p_skill(level: Level, least: float, margin: str, key: str, provided: frozenset[str]) -> Check:
    return number(
        level,
        Cause.P_SKILL,
        "p_skill",
        pl.col("p_skill"),
        setting(key, least, provided),
        key=key,
        margin=margin,
        off_at_zero=True,
        source="p_skill" in provided,
    )


def _interval(above: Threshold, provided: frozenset[str]) -> Check:
    key = "routing.evidence.require_ci_above"
    check = number(
        Level.STRONG,
        Cause.INTERVAL,
        "lower end of the interval",
        pl.col("score_ci_low"),
        at_task(key, above, provided),
        key=key,
        margin="strong_ci_low",
        source="score_ci_low" in provided,
        strictly=True,
    )

    def sentence() -> pl.Expr:
        return pl.when(check.value.is_null()).then(pl.lit("no interval")).otherwise(check.failure)

    return replace(check, sentence=sentence)


def _stability(level: Level, allowed: tuple[str, ...], key: str) -> Check:
    value = pl.col("stability")
    return word(
        level,
        Cause.STABILITY,
        "stability",
        value,
        "one of " + (", ".join(allowed) or "none"),
        passes=value.is_in(allowed),
        failure=pl.concat_str(pl.lit("stability "), value, pl.lit(" is not allowed")),
        key=key,
    )


def _clean() -> Check:
    # With block_on_leakage off, BLOCKED gets here and is no better than SUSPECT.
    value = pl.col("leakage_status")
    return word(
        Level.STRONG,
        Cause.LEAKAGE,
        "leakage",
        value,
        "not SUSPECT",
        passes=~value.is_in([LeakageStatus.SUSPECT.value, LeakageStatus.BLOCKED.value]),
        failure=pl.concat_str(pl.lit("leakage is "), value),
    )


def _complete(missing: tuple[str, ...]) -> Check:
    return word(
        Level.STRONG,
        Cause.INCOMPLETE,
        "columns",
        pl.lit(f"without {', '.join(missing)}" if missing else "all provided"),
        "all provided",
        passes=pl.lit(value=not missing),
        failure="columns not provided",
    )


def _lane(on: bool, provided: frozenset[str]) -> Check:  # noqa: FBT001 - a setting as any other
    key = "routing.enable_experimental_lane"
    return word(
        Level.EXPERIMENTAL,
        Cause.LANE_OFF,
        "experimental lane",
        pl.lit("on" if on else "off"),
        "on",
        passes=setting(key, on, provided),
        failure="the experimental lane is off",
        key=key,
    )
