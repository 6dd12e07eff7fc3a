"""The command `predict`.

The pipeline is imported when the command is carried out, so that its help page comes at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from trainroute.cli.options import Flag, Names, PlanOptions, ProgramOptions, ReadOptions


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """Which rows."""

    data_dir: Path
    """Directory of new rows, in the form of those of training; targets need not be among the columns."""
    symbols: Names = None
    """Only these symbols of the data, by names or globs."""
    targets: Names = None
    """Only these targets of the plan, by names or globs."""
    families: Names = None
    """Ask only these families of each job, by names or globs."""
    since: str | None = None
    """Rows from this time on, such as 2024-01-31. [default: the start of the holdout; earlier rows were trained on]"""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PredictOptions(ProgramOptions, ReadOptions, PlanOptions, RowOptions):
    """What `predict` takes; the help page lists the last base first."""

    weights: Literal["plan", "evaluated", "cs", "local", "equal"] = "plan"
    """What answers where a symbol has both models; evaluated: as plan, and compare them on the holdout."""
    unseen: Literal["cs", "refuse"] = "cs"
    """Whether the pooled model answers for symbols that the plan does not know."""
    output: Path | None = None
    """The Parquet file. [default: predictions/predictions.parquet in the output directory]"""
    no_training_plan: Flag = False
    """Ask the pooled models that were trained without a plan, whatever plan is there."""
    allow_stale: Flag = False
    """Use a plan and models too that other candidates or settings were made into."""


def predict(*, options: PredictOptions) -> int:
    """Predict new rows with the trained models: pooled, local, or blended, as the plan routes each symbol.

    Blocked symbols get null and the reason. With --weights evaluated, blend, pooled and local models are compared on
    the rows of the holdout whose label is known; nothing is chosen by it.
    """
    from trainroute import pipeline
    from trainroute.report.predictions import print_predictions
    from trainroute.report.progress import terminal_progress

    found = pipeline.predict(
        options.data_dir,
        symbols=options.symbols,
        targets=options.targets,
        families=options.families,
        output_dir=options.output_dir,
        training_plan_dir=options.training_plan_dir,
        no_training_plan=options.no_training_plan,
        since=options.since,
        weights=options.weights,
        unseen=options.unseen,
        output=options.output,
        allow_stale=options.allow_stale,
        allow_edited=options.allow_edited,
        config=options.config,
        progress=terminal_progress(),
    )
    files = {"predictions": found.path}
    if found.evaluation_path is not None:
        files["evaluation"] = found.evaluation_path
    print_predictions(
        rows=found.rows,
        predicted=found.predicted,
        unanswered=found.unanswered,
        evaluation=found.evaluation,
        files=files,
    )
    return 0
