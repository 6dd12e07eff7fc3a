"""One process at a time writes plans into an output directory, and none where somebody trains; the next one waits."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trainroute.errors import OutputInUseError, PlanError
from trainroute.logs import LOGGER
from trainroute.records.directories import Together, replaced_together
from trainroute.train import require_free

LOCK_NAME = ".planning.lock"
PATIENCE_SECONDS = 60.0


@contextmanager
def planning_into(output_dir: Path) -> Iterator[Together]:
    """Hold an output directory; what is written with what this yields takes its place together, at the end.

    Raises
    ------
    OutputInUseError
        If another process trains there, or has planned for a minute.
    PlanError
        If it cannot be written.
    """
    with sole_planner(output_dir), replaced_together() as together:
        require_free(output_dir)
        yield together


@contextmanager
def sole_planner(output_dir: Path) -> Iterator[None]:
    """Hold an output directory while its candidates and plans are replaced; the system lets go of it after a kill.

    Raises
    ------
    OutputInUseError
        If another process has held it for a minute.
    PlanError
        If it cannot be written.
    """
    lock = FileLock(output_dir / LOCK_NAME)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        raise OutputInUseError(
            f"{output_dir}: another process has been planning into it for {PATIENCE_SECONDS:g} s ({lock.lock_file} is "
            "locked); wait for its end, stop it, or give another --output-dir"
        ) from None
    except NotImplementedError:  # a file system without locks
        LOGGER.warning("%s: cannot be locked here, so only one process at a time should plan into it", output_dir)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise PlanError(f"{output_dir}: cannot be written ({reason}); choose another output directory") from None
    try:
        yield
    finally:
        lock.release()
