"""Model families: one file each, found by the registry; their libraries are imported only when they fit."""

from collections.abc import Sequence

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, Siblings, TrainingRows
from trainroute.families.description import FamilyDescription, describe
from trainroute.families.roster import (
    GROUPS,
    STANDARD,
    TWO_STAGE_ORDER,
    FamilySelection,
    select_from,
    two_stage_order,
)
from trainroute.registry import Registry

FAMILIES: Registry[Family] = Registry(
    "model family",
    "trainroute.families",
    Family,  # type: ignore[type-abstract]  # the registry lists its concrete subclasses
    entry_point_group="trainroute.families",
)

__all__ = [
    "FAMILIES",
    "GROUPS",
    "STANDARD",
    "Family",
    "FamilyDescription",
    "FamilySelection",
    "FitContext",
    "FittedModel",
    "Hyperparameter",
    "Rows",
    "Siblings",
    "TrainingRows",
    "describe_families",
    "select_families",
    "two_stage_order",
]


def select_families(
    names: Sequence[str] | None = None, *, group: str = STANDARD, standard: Sequence[str] = ()
) -> FamilySelection:
    """Turn what a user asked for into families that exist, in two-stage order.

    Parameters
    ----------
    names : sequence of str, optional
        Families by name, whatever their case (`--families`); beats ``group``.
    group : str
        What `--model-types` says: ``sequential``, ``cross-sectional``, ``both`` or ``standard``.
    standard : sequence of str
        What ``standard`` means (``planning.standard_families`` of the config).

    Raises
    ------
    UsageError
        If a name or the group is unknown.
    """
    return select_from(FAMILIES.names(), names=names, group=group, standard=standard)


def describe_families(names: Sequence[str] | None = None) -> tuple[FamilyDescription, ...]:
    """Describe families, built in or from entry points, in two-stage order; no library of theirs is imported.

    Parameters
    ----------
    names : sequence of str, optional
        Only these, whatever their case.

    Raises
    ------
    UnknownNameError
        If a family does not exist.

    Examples
    --------
    >>> [(found.name, found.min_rows) for found in describe_families(["lightgbm"])]
    [('LightGBM', 200)]
    """
    wanted = FAMILIES.names() if names is None else [FAMILIES.get(name).name for name in names]
    return tuple(describe(FAMILIES.get(name), in_roster=name in TWO_STAGE_ORDER) for name in two_stage_order(wanted))
