"""Run a command and end with its exit code; every error is one line on stderr.

Exit codes: 0 done; 1 some or all jobs failed, or problems found; 2 usage, bad input, broken or stale plan or
model; 130 interrupted.
"""

import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

from trainroute.cli import front_page
from trainroute.errors import TrainrouteError, UsageError
from trainroute.text import printable

if TYPE_CHECKING:
    from cyclopts import App

INTERRUPTED = 128 + signal.SIGINT
_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # a command makes many objects and few cycles

_TO_DO = {
    errno.ENOTDIR: "a file stands where a directory is expected: choose another path",
    errno.ENOSPC: "free some space",
    errno.EISDIR: "a directory stands where a file is expected: choose another path",
    errno.EROFS: "the disk is read-only: choose another path",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.EACCES: "choose another path, or get the rights to this one",
}
_UNUSABLE_PATH = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; ``arguments`` default to the command line."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    _prepare_process()
    if front_page.is_asked_for(tokens):
        _leave(_exit_code(front_page.show, verbose=False))
    from trainroute.cli.app import build_app

    _leave(run_app(build_app(), tokens))


def compatibility_main(module: str) -> None:
    """Run an entry point of ``TRAINING`` as ``python -m <module>`` would."""
    _prepare_process()
    from trainroute.cli.app import build_compatibility_app

    _leave(run_app(build_compatibility_app(), [module, *sys.argv[1:]]))


def run_app(app: "App", tokens: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from trainroute.cli.app import call
    from trainroute.logs import configure_logging

    verbose = "--verbose" in tokens
    configure_logging(verbose=verbose)
    if not verbose:
        sys.excepthook = _one_line
    return _exit_code(lambda: call(app, tokens), verbose=verbose)


def _exit_code(work: Callable[[], object], *, verbose: bool) -> int:
    """Do the work, say what went wrong in one line, and return the exit code."""
    try:
        result = work()
        sys.stdout.flush()  # while a reader that went away can still be noticed
    except TrainrouteError as error:
        return _failed(error, verbose=verbose, exit_code=error.exit_code)
    except BrokenPipeError:
        _mute_stdout()
        return 0
    except OSError as error:
        unusable = isinstance(error, _UNUSABLE_PATH) or error.errno == errno.ENAMETOOLONG
        code = UsageError.exit_code if unusable else TrainrouteError.exit_code
        return _failed(error, verbose=verbose, exit_code=code, said=_of_system(error))
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _leave(code: int) -> NoReturn:
    """Exit without looking through all that was imported and made for cycles, which can take a fifth of a second."""
    gc.freeze()
    sys.exit(code)


def _prepare_process() -> None:
    _prepare_streams()
    signal.signal(signal.SIGTERM, _terminate)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _prepare_streams() -> None:
    """Open what was closed (``>&-``) on nowhere, and let stdout escape what its encoding lacks, as stderr does.

    Nowhere gets the number of the closed stream, the lowest that is free, and children inherit it. Else a file that is
    opened later would get the number, and be taken for the stream.
    """
    for name, flags, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_WRONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, flags)
            os.set_inheritable(nowhere, True)  # noqa: FBT003 - takes no keyword
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _mute_stdout() -> None:
    """Send what is left for a pipe without a reader to nowhere, so that Python does not fail on it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
    """Unwind as an interrupt does, so that workers, ledger and temporary files are left in order."""
    _say("terminated")
    sys.exit(128 + number)


def _of_system(error: OSError) -> str:
    """Say what the system refused: where, and what to do."""
    if not _has_working_directory():
        return "the working directory is gone; change to another one"
    what = str(error) if error.filename is None else f"{os.fsdecode(error.filename)}: {error.strerror}"
    todo = _TO_DO.get(error.errno or 0)
    return what if todo is None else f"{what}; {todo}"


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _failed(error: Exception, *, verbose: bool, exit_code: int, said: str | None = None) -> int:
    if verbose:
        sys.__excepthook__(type(error), error, error.__traceback__)
    _say(said or str(error))
    return exit_code


def _one_line(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Report an error that nobody expected; Python then exits with 1."""
    _say(f"internal: {kind.__name__}: {error}; run again with --verbose for the traceback")


def _say(message: str) -> None:
    sys.stderr.write(f"error: {printable(' '.join(message.split()))}\n")
