"""The options of what measures, routes and trains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from trainroute.cli.options import (
    Flag,
    JobOptions,
    Names,
    OutputOptions,
    PlanOptions,
    ProgramOptions,
    ReadOptions,
    Whole,
)

ModelTypes = Literal["standard", "sequential", "cross-sectional", "both"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which data."""

    data_dir: Path
    """Directory of Parquet or CSV files, at any depth: symbol=AAPL/*.parquet, AAPL.parquet, or long files."""
    symbols: Names = None
    """Only these symbols; all in the data when not given."""
    targets: Names = None
    """Only these targets."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    """What is measured and how much of it is kept."""

    features: Names = None
    """Use these features, all that pass the leak checks."""
    auto_targets: Flag = False
    """Rank the targets and keep the best (the default without --targets)."""
    auto_features: Flag = False
    """Select features per target (the default without --features)."""
    top_n_targets: Whole = 10
    """How many ranked targets to keep."""
    top_m_features: Whole = 100
    """How many features to keep per target at most."""
    force_refresh: Flag = False
    """Measure again, whatever the cache holds."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FamilyOptions:
    """Which model families."""

    families: Names = None
    """Model families by name, whatever their case; beats --model-types."""
    model_types: ModelTypes | None = None
    """A group of families. [default: standard]"""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Where jobs run."""

    executor: Literal["local"] = "local"
    """Worker processes on this machine."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """How much may be planned; the jobs of greatest value per cost are kept."""

    max_jobs: Whole | None = None
    """Plan at most so many jobs."""
    max_cost: float | None = None
    """Plan at most so many core seconds of estimated cost."""
    cost_from_ledger: Flag = False
    """Count what each job × family took before, where the ledger knows it, instead of the fixed formula."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Whether earlier models are kept."""

    resume: Flag = False
    """Keep each model of an earlier run that is whole and would come out the same; train the rest."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RouteOptions(ProgramOptions, BudgetOptions, OutputOptions, FamilyOptions):
    """What `route` takes beside its table."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions(
    ProgramOptions,
    ExecutorOptions,
    ResumeOptions,
    BudgetOptions,
    OutputOptions,
    FamilyOptions,
    SelectionOptions,
    DataOptions,
):
    """What `run` takes; the help page lists the last base first."""

    skip_training: Flag = False
    """Stop when the plan is written."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainOptions(
    ProgramOptions,
    ExecutorOptions,
    ResumeOptions,
    ReadOptions,
    PlanOptions,
    JobOptions,
    FamilyOptions,
    DataOptions,
):
    """What `train` takes; the help page lists the last base first."""

    no_training_plan: Flag = False
    """Train one pooled model per target, whatever plan is there."""
    allow_stale: Flag = False
    """Train by a plan too that was made from other data, candidates or settings; warnings say what is ignored."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SequentialRunOptions(RunOptions):
    """The same for a TRAINING entry point."""

    model_types: ModelTypes | None = "sequential"
    """A group of families."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SequentialTrainOptions(TrainOptions):
    """The same for a TRAINING entry point."""

    model_types: ModelTypes | None = "sequential"
    """A group of families."""


ROUTE = RouteOptions()
