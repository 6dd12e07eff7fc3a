"""Bars to features: the one recipe that ``prepare`` uses, and that leak checks run again on truncated history."""

from collections.abc import Mapping
from itertools import chain

import polars as pl

from trainroute.errors import DataError
from trainroute.panel.bars import SYMBOL, TIME
from trainroute.panel.manifest import PreparedFeature, PrepareManifest
from trainroute.panel.prepare.group import RANGE, RETURN, BarFacts, FeatureGroup
from trainroute.progress import Progress, SilentProgress
from trainroute.registry import Registry

RECIPE_VERSION = 1
GROUPS = Registry("feature group", "trainroute.panel.prepare.features", FeatureGroup)  # type: ignore[type-abstract]


def with_helpers(bars: pl.DataFrame, facts: BarFacts) -> pl.DataFrame:
    """Add the helper columns that features and labels share to the bars of one symbol."""
    helpers = [pl.col("close").log().diff().alias(RETURN)]
    if facts.have("high", "low"):
        helpers.append((pl.col("high") / pl.col("low")).log().alias(RANGE))
    return bars.with_columns(pl.col(sorted(facts.columns)).cast(pl.Float64)).with_columns(helpers)


def feature_list(facts: BarFacts) -> tuple[PreparedFeature, ...]:
    """Return the features that these bars allow, sorted by group, in the groups' own order."""
    return tuple(
        PreparedFeature(name=name, group=group.name) for group in GROUPS.members() for name in group().features(facts)
    )


def compute_features(
    bars: pl.DataFrame,
    facts: BarFacts,
    progress: Progress = SilentProgress(),  # noqa: B008 - stateless
) -> pl.DataFrame:
    """Compute all features.

    Parameters
    ----------
    bars : DataFrame
        ``symbol``, ``ts`` and the bar columns, sorted by symbol and time; all symbols of the panel.
    facts : BarFacts
    progress : Progress

    Returns
    -------
    DataFrame
        ``symbol``, ``ts`` and the features of ``feature_list``, Float32, in the order of ``bars``. Null where unknown;
        neither NaN nor infinite.
    """
    own = _expressions("symbol", facts)
    parts: list[pl.DataFrame] = []
    pieces = bars.partition_by(SYMBOL, maintain_order=True)
    with progress.step("Computing features", len(pieces) + 1) as step:
        for piece in pieces:
            parts.append(with_helpers(piece, facts).select(SYMBOL, TIME, *own))
            step.advance()
        frame = pl.concat(parts)
        frame = frame.with_columns(_expressions("panel", facts))
        step.advance()
    return frame.select(SYMBOL, TIME, *(feature.name for feature in feature_list(facts)))


def recompute_features(bars: pl.DataFrame, manifest: PrepareManifest) -> pl.DataFrame:
    """Compute the features of a prepared panel again, e.g. from bars that are cut off at some time.

    An honest feature of a row does not change when bars after the row are cut off.

    Parameters
    ----------
    bars : DataFrame
        ``symbol``, ``ts`` and ``manifest.bar_columns``. Cross-sectional features need the bars of all symbols.
    manifest : PrepareManifest

    Returns
    -------
    DataFrame
        ``symbol``, ``ts`` and ``manifest.features``, Float32, sorted by symbol and time.

    Raises
    ------
    DataError
        If another version of the recipe made the features.
    """
    if manifest.recipe_version != RECIPE_VERSION:
        raise DataError(
            f"the features were prepared by recipe {manifest.recipe_version}, this is recipe {RECIPE_VERSION}; "
            "run prepare again"
        )
    facts = BarFacts(
        columns=frozenset(manifest.bar_columns),
        interval_us=manifest.bar_interval_us,
        n_symbols=len(manifest.files),
    )
    ordered = bars.select(SYMBOL, TIME, *manifest.bar_columns).sort(SYMBOL, TIME)
    return compute_features(ordered, facts).select(SYMBOL, TIME, *(feature.name for feature in manifest.features))


def _expressions(scope: str, facts: BarFacts) -> list[pl.Expr]:
    groups = (group() for group in GROUPS.members() if group.scope == scope)
    features: Mapping[str, pl.Expr] = dict(chain.from_iterable(group.features(facts).items() for group in groups))
    return [_stored(expression).alias(name) for name, expression in features.items()]


def _stored(expression: pl.Expr) -> pl.Expr:
    number = expression.cast(pl.Float32)
    return pl.when(number.is_finite()).then(number)
