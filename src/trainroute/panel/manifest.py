"""What ``prepare`` writes beside its files: features, targets, where labels end, and how all were made."""

from pathlib import Path
from typing import Any

import msgspec

from trainroute.errors import BrokenPlanError, DataError
from trainroute.records.artifacts import read_json_artifact, write_json_artifact

MANIFEST_NAME = "trainroute_prepare.json"
SCHEMA_VERSION = 1


class PreparedTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One target that ``prepare`` built.

    Attributes
    ----------
    kind : str
        Name of the target kind.
    horizon : str
        As in the target's name, e.g. ``5d``.
    horizon_bars : int
        Bars in the window that the label measures.
    label_end : str
        The column that holds the timestamp of the last bar that the label uses.
    size : float or None
        The number at the end of the name, where the kind has one.
    """

    kind: str
    horizon: str
    horizon_bars: int
    label_end: str
    size: float | None = None


class PreparedFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feature that ``prepare`` built, and the group that defines it."""

    name: str
    group: str


class PrepareManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is needed to read prepared files, and to build their features again.

    Attributes
    ----------
    recipe_version : int
        Which formulas built the features.
    bar_interval_us : int
    resample : str or None
        The interval that the source's bars were gathered to, where they were.
    bar_columns : tuple of str
        The raw bars in the files: ``close``, and ``open``, ``high``, ``low``, ``volume``, ``vwap`` where given.
    features : tuple of PreparedFeature
    targets : dict of str to PreparedTarget
    files : dict of str to str
        Symbol to path below the data directory.
    """

    recipe_version: int
    bar_interval_us: int
    resample: str | None
    bar_columns: tuple[str, ...]
    features: tuple[PreparedFeature, ...]
    targets: dict[str, PreparedTarget]
    files: dict[str, str]


def read_prepare_manifest(data_dir: Path) -> PrepareManifest | None:
    """Read the manifest of a prepared directory; None where there is none.

    Raises
    ------
    DataError
        If it is broken, edited, or of an unknown version.
    """
    path = data_dir / MANIFEST_NAME
    if not path.is_file():
        return None
    try:
        document = read_json_artifact(path)
    except BrokenPlanError as error:
        raise DataError(f"{error} (by 'trainroute prepare')") from None
    version = document.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version is {version}, expected {SCHEMA_VERSION}; run prepare again")
    try:
        return msgspec.convert(document, PrepareManifest)
    except msgspec.ValidationError as error:
        raise DataError(f"{path}: {error}; run prepare again") from None


def write_prepare_manifest(data_dir: Path, manifest: PrepareManifest) -> None:
    """Write the manifest; equal manifests give equal bytes."""
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **msgspec.to_builtins(manifest)}
    write_json_artifact(data_dir / MANIFEST_NAME, content)
