"""One process at a time writes plans into an output directory; the next one waits for its turn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trainroute.errors import OutputInUseError, PlanError
from trainroute.logs import LOGGER

LOCK_NAME = ".planning.lock"
PATIENCE_SECONDS = 60.0


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
