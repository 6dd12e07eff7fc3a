"""Features whose recipe the user registered (`leakage.recipes`), computed again without the future.

A recipe is a function of a frame that returns a frame with ``symbol``, ``ts`` and the feature. It is given what was
known at a time: ``symbol``, ``ts``, the raw and excluded columns of the data directory (``data.raw_columns``,
``data.exclude_columns``; in lower case) up to that time, and every target, null where its label was not over.
"""

import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

import polars as pl

from trainroute.errors import ConfigError
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
            If a function of ``leakage.recipes`` does not exist.
        """
        recipes = context.config.leakage.recipes
        registered = {name: place for name, place in recipes.items() if name in context.panel.features}
        if not registered:
            return
        named = (*context.config.data.raw_columns, *context.config.data.exclude_columns)
        bars = read_bar_columns(context.data_dir, list(dict.fromkeys(map(str.casefold, named))))
        labels = _labels(context)
        for feature, place in sorted(registered.items()):
            again = _again(_load(feature, place), bars, labels)
            yield from changed_features(self.name, context, [feature], again, CUTS)


def recipe_sources(recipes: Mapping[str, str]) -> dict[str, str]:
    """Return per feature a hash of the source files of its recipe: of the module named, and of the function's own.

    What these files import is not covered. A function is hashed once: in a process that goes on, the hash stays that of
    the function as it was loaded.

    Raises
    ------
    ConfigError
        If a function of ``leakage.recipes`` does not exist.
    """
    found = {}
    for feature, place in sorted(recipes.items()):
        recipe = inspect.unwrap(_load(feature, place))
        made_by: object = recipe if inspect.isroutine(recipe) else type(recipe)
        found[feature] = _source_digest(place.partition(":")[0], made_by)
    return found


@cache
def _source_digest(module: str, made_by: object) -> str:
    digest = hashlib.sha256()
    for item in (importlib.import_module(module), made_by):
        try:
            digest.update(Path(inspect.getfile(item)).read_bytes())  # type: ignore[arg-type]  # refused below
        except (TypeError, OSError):  # built in: it has no file
            digest.update(repr(item).encode())
    return digest.hexdigest()


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
