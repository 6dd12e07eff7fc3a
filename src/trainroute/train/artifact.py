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
import numpy as np

from trainroute import __version__
from trainroute.errors import (
    BrokenResultError,
    DiskFullError,
    ModelError,
    PlanError,
    TrainingError,
    UnwritableError,
    bounded,
    one_line,
)
from trainroute.families import FAMILIES, Family, FittedModel, Rows
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


def save_model(folder: Path, model: FittedModel, manifest: ModelManifest, sample: Rows) -> ModelManifest:
    """Write a model and its manifest, replacing what was there; return the manifest with the files' hashes.

    What was there stays unless the new model, loaded again, predicts for the rows of ``sample`` what ``model`` does.

    Raises
    ------
    DiskFullError
        If there is no space for it.
    UnwritableError
        If the folder holds foreign files or cannot be written.
    ModelError
        If the family's files are not those that the model names, or do not give the model back.
    """
    _check_names(model.files, manifest.family)
    try:
        with replaced_directory(folder, owned=(*_files_of(folder), *model.files, MANIFEST)) as fresh:
            model.save(fresh)
            _check_saved(fresh, model, manifest.family, sample)
            manifest = msgspec.structs.replace(manifest, files={name: _sha256(fresh / name) for name in model.files})
            write_json_artifact(fresh / MANIFEST, msgspec.to_builtins(manifest))
    except (PlanError, OSError) as error:
        raise unwritable("the model", error, then="go on with --resume") from None
    return manifest


def _check_names(files: tuple[str, ...], family: str) -> None:
    """Check that each name is of a file in the model's own folder that the manifest does not overwrite."""
    for name in files:
        plain = isinstance(name, str) and name not in {"", ".", ".."} and not set(name) & set("/\\:\0")
        if not plain or name.casefold() == MANIFEST:
            raise ModelError(
                f"{family}: its model names the file {name!r}; expected a plain name other than {MANIFEST}; "
                "correct 'files' of the model"
            )


def _check_saved(folder: Path, model: FittedModel, family: str, sample: Rows) -> None:
    there = {entry.name for entry in folder.iterdir() if entry.is_file() and not entry.is_symlink()}
    if there != set(model.files) or len(there) < len(list(folder.iterdir())):
        found = bounded(sorted(entry.name for entry in folder.iterdir()), limit=10)
        raise ModelError(
            f"{family}: saving its model left {found or 'no file'}; expected exactly the files "
            f"{bounded(model.files, limit=10)}; correct 'save' or 'files' of the model"
        )
    expected = model.predict(sample)
    try:
        again = FAMILIES.get(family)().load(folder).predict(sample)
    except Exception as error:
        raise ModelError(f"{family}: its saved model cannot be used ({_told(error)}); correct 'load'") from error
    if np.shape(again) != np.shape(expected) or not np.allclose(again, expected, rtol=1e-4, atol=1e-6, equal_nan=True):
        raise ModelError(f"{family}: its saved model predicts otherwise than the fitted one; correct 'save' or 'load'")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def read_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a model.

    Raises
    ------
    BrokenResultError
        If it is missing, edited, broken, or of an unknown version.
    """
    path = folder / MANIFEST
    try:
        content = read_json_artifact(path)
        if content.get("schema_version") != MODEL_MANIFEST_SCHEMA_VERSION:
            raise BrokenResultError(
                f"{path}: schema_version {content.get('schema_version')!r}; this version reads "
                f"{MODEL_MANIFEST_SCHEMA_VERSION}; train the model again"
            )
        return msgspec.convert(content, ModelManifest)
    except PlanError as error:
        found = str(error).removeprefix(f"{path}: ").rpartition("; ")[0]  # what it says to do is for plans
        raise BrokenResultError(f"{path}: not a model of trainroute: {found}; train the model again") from None
    except msgspec.ValidationError as error:
        raise BrokenResultError(f"{path}: not a model of trainroute: {error}; train the model again") from None


def load_model(folder: Path) -> tuple[FittedModel, ModelManifest]:
    """Load a model after checking each of its files against the manifest.

    Raises
    ------
    BrokenResultError
        If the manifest or a file is missing, edited or broken, or the family cannot load it.
    """
    manifest = verified_manifest(folder)
    try:
        return FAMILIES.get(manifest.family)().load(folder), manifest
    except Exception as error:
        raise BrokenResultError(
            f"{folder}: the model {manifest.job_id} × {manifest.family} cannot be loaded ({_told(error)}); "
            "train it again"
        ) from error


def verified_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a model and check each of its files against it.

    Raises
    ------
    BrokenResultError
        As `load_model`.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != expected:
            raise BrokenResultError(f"{path}: missing, or not the file that training wrote; train the model again")
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


def unwritable(what: str, error: Exception, *, then: str = "run the command again") -> TrainingError:
    """Return the error for something that cannot be written: one of its own for a full disk, which ends a run.

    Parameters
    ----------
    what : str
    error : Exception
    then : str
        What to do when there is space again.
    """
    cause = error.__context__ if isinstance(error, PlanError) else error
    if isinstance(cause, OSError) and cause.errno in DISK_FULL:
        where = f"{cause.filename}: " if cause.filename is not None else ""
        return DiskFullError(
            f"{where}{what} cannot be written: {os.strerror(cause.errno)}; free some space, then {then}"
        )
    return UnwritableError(f"{what} cannot be written: {error}")


def _files_of(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(msgspec.convert(read_json_artifact(folder / MANIFEST), ModelManifest).files)
    except (PlanError, msgspec.ValidationError):
        return ()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
