"""Find and read a training plan. A plan that exists but cannot be trusted is an error, never a reason to go on.

1. `find_training_plan_dir`: the first directory that exists decides.
2. `load_training_plan`: the master, or its mirror where the master is absent; nothing else is tried. `read_untrained`
   reads of it only which jobs train nothing.
3. Content hash, schema version, strict types, ids and ``plan_id`` are checked (`decode_plan`).
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from trainroute.errors import BrokenPlanError, PlanNotFoundError
from trainroute.plan.legacy import is_legacy, read_legacy
from trainroute.records.artifacts import JsonText, decode_parts, require_recorded
from trainroute.records.directories import recover
from trainroute.records.places import DEFAULT_OUTPUT, TRAINING_PLAN_DIRS
from trainroute.records.plan import TrainingPlan
from trainroute.records.plan_io import MASTER_NAME, MIRROR_NAME, PLAN_MEMBERS, decode_plan, decode_untrained

logger = logging.getLogger("trainroute")


def find_training_plan_dir(output_dir: Path | None, given: Path | None) -> Path | None:
    """Return the directory of the plan that counts, or None where there is none.

    Parameters
    ----------
    output_dir : Path or None
        ``--output-dir``; without it ``results``.
    given : Path or None
        ``--training-plan-dir``; where it is given nothing else is looked at.

    Raises
    ------
    PlanNotFoundError
        If ``given`` does not exist.
    """
    if given is not None:
        recover(given)
        if not given.exists():
            raise PlanNotFoundError(f"{given}: no such training plan directory; correct --training-plan-dir")
        return given
    root = DEFAULT_OUTPUT if output_dir is None else output_dir
    for place in TRAINING_PLAN_DIRS:
        for directory in (root / place, root.resolve().parent / place):
            recover(directory)
            if directory.exists():
                return directory
    return None


def load_training_plan(directory: Path | str, *, allow_edited: bool = False) -> TrainingPlan:
    """Read the plan in a directory (or a plan's JSON file given by its path).

    Parameters
    ----------
    directory : Path or str
    allow_edited : bool
        Read a plan too whose content is not what was written; a warning says so.

    Raises
    ------
    PlanNotFoundError
        If the directory does not exist.
    BrokenPlanError
        If it holds no plan, or one that is empty, truncated, of an unknown version or against its schema.
    EditedPlanError
        If its content does not match its ``content_sha256`` or ``plan_id``.
    """
    path = _file(Path(directory))

    def decode(parts: Mapping[str, JsonText], recorded: str | None) -> TrainingPlan:
        if is_legacy(parts):
            logger.warning("%s: a plan without schema_version and plan_id; staleness and edits cannot be checked", path)
            return read_legacy(parts, path)
        require_recorded(recorded, path)
        return decode_plan(parts, path, allow_edited=allow_edited)

    return decode_parts(path, decode, written=PLAN_MEMBERS, allow_edited=allow_edited)


def read_untrained(directory: Path | str, *, allow_edited: bool = False) -> tuple[str | None, dict[str, str]]:
    """Read of the plan in a directory only which jobs that the decisions ask for train nothing.

    Parameters
    ----------
    directory, allow_edited
        As of `load_training_plan`, which raises the same errors.

    Returns
    -------
    routing_plan_id : str or None
        The decisions that the plan was made from; None of a legacy plan.
    untrained : dict of str to str
        By id why: left out by a budget, or without a family.
    """
    path = _file(Path(directory))

    def decode(parts: Mapping[str, JsonText], recorded: str | None) -> tuple[str | None, dict[str, str]]:
        if is_legacy(parts):
            return None, {}
        require_recorded(recorded, path)
        metadata, summary, without_family = decode_untrained(parts, path)
        left_out = () if summary.budget is None else summary.budget.left_out
        found = {job.job_id: f"left out by the budget ({job.reason})" for job in left_out}
        found |= dict.fromkeys(without_family, "for which no family that was asked for is fit")
        return metadata.routing_plan_id, found

    return decode_parts(path, decode, written=PLAN_MEMBERS, allow_edited=allow_edited)


def _file(directory: Path) -> Path:
    recover(directory)
    if directory.exists() and not directory.is_dir():
        return directory
    if not directory.exists():
        raise PlanNotFoundError(f"{directory}: no such training plan directory; run 'trainroute run' to write one")
    for name in (MASTER_NAME, MIRROR_NAME):
        if (directory / name).exists():
            return directory / name
    raise BrokenPlanError(
        f"{directory}: holds neither {MASTER_NAME} nor {MIRROR_NAME}; restore the plan, or remove the directory"
    )
