"""The options that commands share: the same name, meaning and default everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token

_LARGEST = 2**62


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """Read a whole number that fits a column; 1.5 is none and is not rounded."""
    given = tokens[0].value
    try:
        value = int(given)
    except ValueError:
        raise ValueError(f"expected a whole number, got {given!r}") from None
    if abs(value) > _LARGEST:
        raise ValueError(f"expected a whole number up to {_LARGEST}, got {value}")
    return value


Whole = Annotated[int, Parameter(converter=_whole)]
Names = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=1, negative=())]
Flag = Annotated[bool, Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Verbosity:
    """How much is said. Read before a command is called, so commands need not look at it."""

    verbose: Flag = False
    """Show debug lines, and the traceback of an error."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ProgramOptions(Verbosity):
    """What every command that follows settings takes."""

    config: Path | None = None
    """Config file; else CONFIG/training_config/routing_config.yaml, else the packaged default."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How far a plan on disk is trusted."""

    allow_edited: Flag = False
    """Use a plan too whose content is not what was written; a warning says so."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where results lie."""

    output_dir: Path | None = None
    """Directory of METRICS/, globals/ and models/. [default: results]"""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PlanOptions(OutputOptions):
    """Which training plan."""

    training_plan_dir: Path | None = None
    """Directory of master_training_plan.json; else looked for under the output directory."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Which jobs of a plan, beside targets and symbols."""

    routes: Names = None
    """Only jobs of these routes, such as BOTH; globs too."""
    types: Names = None
    """Only jobs of these types: cross_sectional, symbol_specific."""
    min_priority: Whole | None = None
    """Only jobs of at least this priority."""
    job: Names = None
    """Only the jobs with these ids."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SelectorOptions(JobOptions):
    """Which jobs of a plan."""

    targets: Names = None
    """Only jobs of these targets, by names or globs."""
    symbols: Names = None
    """Only jobs that serve these symbols, by names or globs."""
    families: Names = None
    """Only jobs with one of these families, by names or globs."""


VERBOSITY = Verbosity()
PROGRAM = ProgramOptions()
OUTPUT = OutputOptions()
PLAN = PlanOptions()
SELECTOR = SelectorOptions()
READ = ReadOptions()
