"""Every error that trainroute raises on purpose.

TrainrouteError                   exit code 1
├── UsageError                    exit code 2: an option or argument that cannot be
│   └── UnknownNameError          a name that no member of a registry or plan has
├── ConfigError                   exit code 2: a config file or key
├── DataError                     exit code 2: the panel that was read
├── CandidatesError               exit code 2: a routing candidates table
├── PlanError                     exit code 2: a routing or training plan
│   ├── PlanNotFoundError         no plan where one was asked for
│   ├── BrokenPlanError           unreadable, truncated, of an unknown version, or edited
│   │   └── EditedPlanError       whole and readable, but not what was written
│   └── StalePlanError            made from other data, candidates or config
├── EvidenceError                 nothing could be measured, so no plan can be written
├── MissingLibraryError           an optional library is not installed
├── OutputInUseError              another process trains into the same output directory
└── TrainingError                 a family could not be trained
    ├── ModelError                a fit ended in no model that can be used, whatever its rows
    ├── UnwritableError           something is in the way of what was trained
    ├── DiskFullError             no space to write what was trained, or the ledger
    └── BrokenResultError         exit code 2: a trained model or a ledger that is damaged or edited

A message is one line: what, where (file, column, key, symbol), what was expected, what to do.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar


class TrainrouteError(Exception):
    """Base class of every error that is raised on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(TrainrouteError):
    """An option or argument that cannot be used."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that does not exist; the message lists what does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        known = sorted(known)
        close = get_close_matches(name.casefold(), [k.casefold() for k in known], n=1)
        original = {k.casefold(): k for k in known}
        hint = f"did you mean {original[close[0]]!r}?" if close else f"known: {bounded(known, limit=25)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class ConfigError(TrainrouteError):
    """A config file that cannot be read, an unknown key, or an impossible value."""

    exit_code = 2


class DataError(TrainrouteError):
    """A panel that breaks an invariant; names file, column or symbol."""

    exit_code = 2


class CandidatesError(TrainrouteError):
    """A routing candidates table that breaks its contract; names row and column."""

    exit_code = 2


class PlanError(TrainrouteError):
    """Anything wrong with a routing plan or a training plan."""

    exit_code = 2


class PlanNotFoundError(PlanError):
    """No plan where one was asked for."""


class BrokenPlanError(PlanError):
    """A plan that exists and cannot be trusted: unreadable, truncated, edited, of an unknown version."""


class EditedPlanError(BrokenPlanError):
    """A plan whose content does not match its own hash or identity; ``--allow-edited`` reads it all the same."""


class StalePlanError(PlanError):
    """A plan that was made from other data, candidates, routing plan or config."""


class EvidenceError(TrainrouteError):
    """Nothing could be measured, so no plan can be written."""


class MissingLibraryError(TrainrouteError):
    """An optional library is not installed; the message says how to install it."""


class TrainingError(TrainrouteError):
    """A model family could not be trained on a job."""


class ModelError(TrainingError):
    """A fit ended in no model that can be used: no numbers, no files, or files that cannot be read back."""


class UnwritableError(TrainingError):
    """What was trained cannot be written where it belongs."""


class DiskFullError(TrainingError):
    """The disk is full, or a file reached the size that the system allows; the run cannot go on."""


class BrokenResultError(TrainingError):
    """A trained model or a ledger that is not what was written, so that nothing can be read from it."""

    exit_code = 2


class OutputInUseError(TrainrouteError):
    """Another process trains into the same output directory, or trains the same job."""


def one_line(error: object, *, limit: int = 300) -> str:
    """Write the message of an error on one line of at most ``limit`` characters.

    Examples
    --------
    >>> one_line(ValueError("cannot   be read"))
    'cannot be read'
    """
    return " ".join(str(error).split())[:limit]


def bounded(names: Iterable[str], *, limit: int = 3) -> str:
    """Write a list of names that stays short whatever its length.

    Examples
    --------
    >>> bounded(["AAPL", "MSFT"])
    'AAPL, MSFT'
    >>> bounded(["A", "B", "C", "D"], limit=2)
    '4 in all, e.g. A, B, …'
    """
    names = list(names)
    if len(names) <= limit:
        return ", ".join(names)
    return f"{len(names)} in all, e.g. {', '.join(names[:limit])}, …"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the system that names no file, such as a full disk, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
