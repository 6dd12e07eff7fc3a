"""A trained model on disk: the library's own files, and a manifest that vouches for them.

Written beside its place and renamed whole, so that a folder under ``models/`` is a complete model or is not there.
"""

import errno
import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

import msgspec

from trainroute import __version__
from trainroute.errors import DiskFullError, PlanError, TrainingError
from trainroute.families import FAMILIES, Family, FittedModel
from trainroute.records.artifacts import read_json_artifact, write_json_artifact
from trainroute.records.directories import replaced_directory
from trainroute.records.names import safe_name
from trainroute.records.results import MODEL_MANIFEST_SCHEMA_VERSION, ModelManifest

MANIFEST = "manifest.json"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, no quota, or a file of the size that the system allows at most (``ulimit -f``)."""


def model_folder(models: Path, job_folder: str, family: str) -> Path:
    """Return where the model of a job × family lies; ``job_folder`` is one of `folder_names`."""
    return models / job_folder / safe_name(family)


def save_model(folder: Path, model: FittedModel, manifest: ModelManifest) -> ModelManifest:
    """Write a model and its manifest, replacing what was there; return the manifest with the files' hashes.

    Raises
    ------
    DiskFullError
        If there is no space for it.
    TrainingError
        If the folder holds foreign files or cannot be written.
    """
    try:
        with replaced_directory(folder, owned=(*_files_of(folder), *model.files, MANIFEST)) as fresh:
            model.save(fresh)
            manifest = msgspec.structs.replace(manifest, files={name: _sha256(fresh / name) for name in model.files})
            write_json_artifact(fresh / MANIFEST, msgspec.to_builtins(manifest))
    except (PlanError, OSError) as error:
        raise unwritable("the model", error) from None
    return manifest


def read_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a model.

    Raises
    ------
    TrainingError
        If it is missing, edited, broken, or of an unknown version.
    """
    path = folder / MANIFEST
    try:
        content = read_json_artifact(path)
        if content.get("schema_version") != MODEL_MANIFEST_SCHEMA_VERSION:
            raise TrainingError(
                f"{path}: schema_version {content.get('schema_version')!r}; this version reads "
                f"{MODEL_MANIFEST_SCHEMA_VERSION}; train the model again"
            )
        return msgspec.convert(content, ModelManifest)
    except (PlanError, msgspec.ValidationError) as error:
        raise TrainingError(f"{path}: not a model of trainroute ({error}); train it again") from None


def load_model(folder: Path) -> tuple[FittedModel, ModelManifest]:
    """Load a model after checking each of its files against the manifest.

    Raises
    ------
    TrainingError
        If the manifest or a file is missing, edited or broken.
    """
    manifest = verified_manifest(folder)
    return FAMILIES.get(manifest.family)().load(folder), manifest


def verified_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a model and check each of its files against it.

    Raises
    ------
    TrainingError
        As `load_model`.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != expected:
            raise TrainingError(f"{path}: missing, or not the file that training wrote; train the model again")
    return manifest


def discard_model_of_other_plan(folder: Path, plan_id: str) -> None:
    """Remove what an earlier plan left where a model of this plan should be, so that nobody takes it for this one's."""
    try:
        foreign = folder.exists() and read_manifest(folder).plan_id != plan_id
    except TrainingError:
        return
    if foreign:
        shutil.rmtree(folder, ignore_errors=True)


def library_versions(family: type[Family]) -> dict[str, str]:
    """Return the versions that a fitted model of this family depends on."""
    modules = ("numpy", *family.requires)
    versions = {module: str(getattr(sys.modules.get(module), "__version__", "unknown")) for module in modules}
    return dict(sorted({"python": platform.python_version(), "trainroute": __version__, **versions}.items()))


def unwritable(what: str, error: Exception) -> TrainingError:
    """Return the error for something that cannot be written: one of its own for a full disk, which ends a run."""
    cause = error.__context__ if isinstance(error, PlanError) else error
    if isinstance(cause, OSError) and cause.errno in DISK_FULL:
        where = f"{cause.filename}: " if cause.filename is not None else ""
        return DiskFullError(
            f"{where}{what} cannot be written: {os.strerror(cause.errno)}; free some space, then go on with --resume"
        )
    return TrainingError(f"{what} cannot be written: {error}")


def _files_of(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(msgspec.convert(read_json_artifact(folder / MANIFEST), ModelManifest).files)
    except (PlanError, msgspec.ValidationError):
        return ()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
