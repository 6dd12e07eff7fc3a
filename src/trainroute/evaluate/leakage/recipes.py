"""Features whose recipe the user registered (`leakage.recipes`), computed again without the future.

A recipe is a function of a frame that returns a frame with ``symbol``, ``ts`` and the feature. It is given what was
known at a time: ``symbol``, ``ts``, the raw and excluded columns of the data directory (``data.raw_columns``,
``data.exclude_columns``; in lower case) up to that time, and every target, null where its label was not over.
"""

import importlib
from collections.abc import Callable, Iterator
from typing import ClassVar

import polars as pl

from trainroute.errors import ConfigError, bounded
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.evaluate.leakage.truncation import Again, changed_features
from trainroute.panel import read_bar_columns

CUTS = (0.3, 0.5, 0.7, 0.9, 1.0)

Recipe = Callable[[pl.DataFrame], pl.DataFrame]


class RegisteredRecipes(LeakCheck):
    """Compares stored values with those of the user's recipe at ``CUTS``: BLOCKED where they differ."""

    name: ClassVar[str] = "recipes"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per feature with a recipe that differs in any compared row.

        Raises
        ------
        ConfigError
            If a feature or a function of ``leakage.recipes`` does not exist.
        """
        registered = context.config.leakage.recipes
        unknown = sorted(set(registered).difference(context.panel.features))
        if unknown:
            raise ConfigError(f"leakage.recipes: no such feature: {bounded(unknown)}; correct the name or remove it")
        if not registered:
            return
        named = (*context.config.data.raw_columns, *context.config.data.exclude_columns)
        bars = read_bar_columns(context.data_dir, list(dict.fromkeys(map(str.casefold, named))))
        labels = _labels(context)
        for feature, place in sorted(registered.items()):
            again = _again(_load(feature, place), bars, labels)
            yield from changed_features(self.name, context, [feature], again, CUTS)


def _again(recipe: Recipe, bars: pl.DataFrame, labels: pl.DataFrame) -> Again:
    def again(cut: int) -> pl.DataFrame:
        return recipe(_known(bars, labels, cut))

    return again


def _load(feature: str, place: str) -> Recipe:
    module, _, name = place.partition(":")
    try:
        recipe = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"leakage.recipes: cannot load {place!r} for {feature}: {error}; give 'module:function'"
        ) from error
    if not callable(recipe):
        raise ConfigError(f"leakage.recipes: {place!r} for {feature} is not a function")
    return recipe  # type: ignore[no-any-return]  # what it returns is checked where it is used


def _labels(context: LeakContext) -> pl.DataFrame:
    """Return every target with its row's symbol and time, and when each label ends (``.end``)."""
    panel = context.panel
    pieces = []
    for rows in panel.rows:
        columns: dict[str, object] = {"symbol": [rows.symbol] * len(rows), "ts": panel.timestamps[rows.time_index]}
        for i, target in enumerate(panel.targets):
            columns[target.name] = rows.targets[:, i]
            columns[f"{target.name}.end"] = rows.label_end[:, target.horizon_index]
        pieces.append(pl.DataFrame(columns).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC"))))
    names = [target.name for target in panel.targets]
    return pl.concat(pieces).with_columns(pl.col(names).fill_nan(None))


def _known(bars: pl.DataFrame, labels: pl.DataFrame, cut: int) -> pl.DataFrame:
    moment = pl.lit(cut).cast(pl.Datetime("us", "UTC"))
    names = [name.removesuffix(".end") for name in labels.columns if name.endswith(".end")]
    over = [pl.when(pl.col(f"{name}.end") <= cut).then(pl.col(name)).alias(name) for name in names]
    known = labels.filter(pl.col("ts") <= moment).select("symbol", "ts", *over)
    return bars.filter(pl.col("ts") <= moment).join(known, on=("symbol", "ts"), how="left").sort("symbol", "ts")
