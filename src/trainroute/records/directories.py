"""Replace whole directories at once, so that a killed writer leaves the old ones whole and never a mixture.

The new files are written into a temporary sibling; then the two change places in one system call (Linux, macOS).
Where the system cannot do that, the old directory is set aside first and `recover` puts it back after a kill.
Directories that belong together change places one right after the other, once all are whole (`replaced_together`).
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from trainroute.errors import PlanError, bounded, naming
from trainroute.records.artifacts import written_aside
from trainroute.records.leftovers import sweep, temporary_prefix

_AT_FDCWD = -100 if sys.platform == "linux" else -2
_RENAME_EXCHANGE = 2


class Replacing(Protocol):
    """What replaces a directory: `replaced_directory`, or `Together.directory`."""

    def __call__(self, directory: Path, *, owned: Collection[str]) -> AbstractContextManager[Path]:
        """Yield the directory to write into."""


class Together:
    """What `replaced_together` yields: all that is written with it takes its place at the end of the block."""

    def __init__(self) -> None:
        self.whole: list[tuple[Path, Path]] = []
        self.deeds: list[Callable[[], object]] = []

    @contextmanager
    def directory(self, directory: Path, *, owned: Collection[str]) -> Iterator[Path]:
        """Yield what is to take the place of a directory, as `replaced_directory` does."""
        with _written_beside(directory, owned=owned) as (fresh, place):
            yield fresh
            self.whole.append((fresh, place))

    def file(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        """Let ``write`` fill what is to take the place of a file, as `trainroute.records.artifacts.atomic` does."""
        self.whole.append((written_aside(path, write), path))

    def then(self, deed: Callable[[], object]) -> None:
        """Do something when all have their places."""
        self.deeds.append(deed)


@contextmanager
def replaced_together() -> Iterator[Together]:
    """Yield what replaces directories and files together; nothing is replaced where the block ends with an error.

    They take their places one right after the other, in the order in which they became whole.
    """
    together = Together()
    try:
        yield together
        for fresh, place in together.whole:
            if fresh.is_dir():
                _put_in_place(fresh, place)
            else:
                fresh.replace(place)
    finally:
        for fresh, _ in together.whole:
            _remove(fresh)
    for deed in together.deeds:
        deed()


@contextmanager
def replaced_directory(directory: Path, *, owned: Collection[str]) -> Iterator[Path]:
    """Yield an empty directory that takes the place of ``directory`` when the block ends without an error.

    Parameters
    ----------
    directory : Path
        What is replaced; it need not exist. Of a link, what it leads to.
    owned : collection of str
        Names that may stand in it. Anything else there is somebody's work, and nothing is replaced.

    Raises
    ------
    PlanError
        If ``directory`` is a file, holds foreign entries, or cannot be written.
    """
    with replaced_together() as together, together.directory(directory, owned=owned) as fresh:
        yield fresh


@contextmanager
def _written_beside(directory: Path, *, owned: Collection[str]) -> Iterator[tuple[Path, Path]]:
    """Yield an empty sibling and the directory whose place it is to take; it is removed if the block raises."""
    directory = _behind_links(directory)
    check_replaceable(directory, owned=owned)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        sweep(directory.parent, directory.name)
        fresh = Path(tempfile.mkdtemp(dir=directory.parent, prefix=temporary_prefix(directory.name)))
    except OSError as error:
        raise PlanError(f"{directory}: cannot be written ({error.strerror}); choose another output directory") from None
    try:
        fresh.chmod(0o755)
        with naming(directory):
            yield fresh, directory
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def recover(directory: Path) -> None:
    """Put back what a writer killed between its two renames had set aside."""
    directory = _behind_links(directory).absolute()  # "." has no name to stand beside; the root has none at all
    if not directory.name:
        return
    aside = _aside(directory)
    if aside.is_dir() and not directory.exists():
        aside.rename(directory)


def check_replaceable(directory: Path, *, owned: Collection[str]) -> None:
    """Refuse a directory that `replaced_directory` would not replace; what a killed writer set aside is put back.

    Raises
    ------
    PlanError
        If it is a file, or holds entries whose names are not in ``owned``.
    """
    recover(directory)
    if not directory.exists():
        return
    if not directory.is_dir():
        raise PlanError(f"{directory}: expected a directory, found a file; move it or choose another output directory")
    foreign = sorted(entry.name for entry in directory.iterdir() if entry.name not in owned)
    if foreign:
        raise PlanError(
            f"{directory}: holds files that trainroute did not write ({bounded(foreign)}); "
            "move them or choose another output directory"
        )


def _put_in_place(fresh: Path, directory: Path) -> None:
    if not directory.exists():
        fresh.rename(directory)
    elif not _exchanged(fresh, directory):
        aside = _aside(directory)
        shutil.rmtree(aside, ignore_errors=True)
        directory.rename(aside)
        fresh.rename(directory)
        shutil.rmtree(aside, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; False where the system or file system cannot."""
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    exchange = getattr(ctypes.CDLL(None), name, None) if name else None
    if exchange is None:
        return False
    return bool(exchange(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _remove(fresh: Path) -> None:
    if fresh.is_dir():
        shutil.rmtree(fresh, ignore_errors=True)
    else:
        fresh.unlink(missing_ok=True)


def _behind_links(directory: Path) -> Path:
    return Path(os.path.realpath(directory)) if directory.is_symlink() else directory


def _aside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.previous")
