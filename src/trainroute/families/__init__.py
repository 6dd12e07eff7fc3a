"""Model families: one file each, found by the registry; their libraries are imported only when they fit."""

from collections.abc import Sequence

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, Siblings, TrainingRows
from trainroute.families.roster import GROUPS, STANDARD, FamilySelection, select_from, two_stage_order
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
    "FamilySelection",
    "FitContext",
    "FittedModel",
    "Hyperparameter",
    "Rows",
    "Siblings",
    "TrainingRows",
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
        If a name or the group is unknown, or a family asked for by name is not in this version.
    """
    return select_from(FAMILIES.names(), names=names, group=group, standard=standard)
