"""Write a training plan: the master, its mirror, what people read, and the views.

The directory is replaced as a whole: a killed writer leaves the old plan, and no view of a former plan stays behind.
Each job is encoded once; every file is put together from these lines.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from trainroute.parallel import in_threads
from trainroute.plan.markdown import plan_markdown
from trainroute.plan.views import VIEWS, views_of
from trainroute.records.artifacts import write_parts
from trainroute.records.directories import Replacing, check_replaceable, replaced_directory
from trainroute.records.plan import TrainingPlan
from trainroute.records.plan_io import MASTER_NAME, MIRROR_NAME, plan_parts
from trainroute.records.yaml_text import yaml_document

YAML_NAME = "training_plan.yaml"
MARKDOWN_NAME = "training_plan.md"
_OWNED = frozenset({MASTER_NAME, MIRROR_NAME, YAML_NAME, MARKDOWN_NAME, *VIEWS})


def check_training_plan_dir(directory: Path) -> None:
    """Refuse a directory that `write_training_plan` would not replace.

    Raises
    ------
    PlanError
        If it is a file, or holds files that are not a training plan's.
    """
    check_replaceable(directory, owned=_OWNED)


def write_training_plan(
    plan: TrainingPlan,
    directory: Path | str,
    *,
    formats: Sequence[str] = ("JSON", "YAML", "MARKDOWN"),
    replaced: Replacing = replaced_directory,
) -> Path:
    """Write every file of a plan into ``directory``, replacing what is there; return the master's path.

    Parameters
    ----------
    plan : TrainingPlan
    directory : Path or str
        Usually ``<output>/globals/training_plan``.
    formats : sequence of str
        ``routing.dump_plan_as``: whether YAML and Markdown are wanted. The JSON files are always written.
    replaced : Replacing
        Says when the directory takes its place, see `trainroute.records.directories.Together`.

    Raises
    ------
    PlanError
        If the directory cannot be written, or holds files that are not a training plan's.
    """
    directory, parts = Path(directory), plan_parts(plan)
    with replaced(directory, owned=_OWNED) as fresh:

        def truth() -> None:
            _write(fresh / MASTER_NAME, parts, durable=True)
            shutil.copyfile(fresh / MASTER_NAME, fresh / MIRROR_NAME)

        def yaml() -> None:
            with (fresh / YAML_NAME).open("wb") as file:
                file.writelines(yaml_document(parts, entries=len(plan.jobs)))

        def markdown() -> None:
            (fresh / MARKDOWN_NAME).write_text(plan_markdown(plan), encoding="utf-8")

        def views(folder: str) -> None:
            (fresh / folder).mkdir()
            for name, view in views_of(folder, plan):
                _write(fresh / name, view)

        wanted: dict[str, Callable[[], None]] = {"YAML": yaml, "MARKDOWN": markdown}
        writers: list[Callable[[], None]] = [truth, *(partial(views, folder) for folder in VIEWS)]
        writers += [write for name, write in wanted.items() if name in formats]
        in_threads(lambda write: write(), writers)
    return directory / MASTER_NAME


def _write(path: Path, parts: Mapping[str, Sequence[bytes]], *, durable: bool = False) -> None:
    with path.open("wb") as file:
        write_parts(file, parts)
        if durable:
            file.flush()
            os.fsync(file.fileno())
