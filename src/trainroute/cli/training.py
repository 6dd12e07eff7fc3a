"""Commands that route and train: `run`, `train`, `route`, and the two behind ``python -m TRAINING.…``.

The pipeline is imported when a command is carried out, so that its help page comes at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from trainroute.cli.options import (
    EXECUTOR,
    FAMILIES,
    OUTPUT,
    PLAN,
    PROGRAM,
    SELECTION,
    SEQUENTIAL_FAMILIES,
    DataOptions,
    ExecutorOptions,
    FamilyOptions,
    Flag,
    OutputOptions,
    PlanOptions,
    ProgramOptions,
    SelectionOptions,
    SequentialFamilyOptions,
)

if TYPE_CHECKING:
    from trainroute.pipeline import RunResult


def run(
    *,
    data: DataOptions,
    selection: SelectionOptions = SELECTION,
    families: FamilyOptions = FAMILIES,
    output: OutputOptions = OUTPUT,
    skip_training: Flag = False,
    executor: ExecutorOptions = EXECUTOR,
    program: ProgramOptions = PROGRAM,
) -> int:
    """Rank targets, select features, measure, route, plan, and train exactly that plan.

    Parameters
    ----------
    skip_training
        Stop when the plan is written.
    """
    from trainroute import pipeline
    from trainroute.plan import DEFAULT_OUTPUT
    from trainroute.report.progress import terminal_progress

    del executor  # there is one
    result = pipeline.run(
        data.data_dir,
        symbols=data.symbols,
        targets=data.targets,
        features=selection.features,
        auto_targets=selection.auto_targets,
        auto_features=selection.auto_features,
        top_n_targets=selection.top_n_targets,
        top_m_features=selection.top_m_features,
        families=families.families,
        model_types=families.model_types,
        output_dir=output.output_dir or DEFAULT_OUTPUT,
        config=program.config,
        force_refresh=selection.force_refresh,
        skip_training=skip_training,
        progress=terminal_progress(),
    )
    return _closed(result)


def train(
    *,
    data: DataOptions,
    families: FamilyOptions = FAMILIES,
    plan: PlanOptions = PLAN,
    no_training_plan: Flag = False,
    executor: ExecutorOptions = EXECUTOR,
    program: ProgramOptions = PROGRAM,
) -> int:
    """Train by the plan that is there; without one, one pooled model per target.

    Parameters
    ----------
    no_training_plan
        Train one pooled model per target, whatever plan is there.
    """
    from trainroute import pipeline
    from trainroute.report.progress import terminal_progress

    del executor  # there is one
    result = pipeline.train(
        data.data_dir,
        symbols=data.symbols,
        targets=data.targets,
        families=families.families,
        model_types=families.model_types,
        output_dir=plan.output_dir,
        training_plan_dir=plan.training_plan_dir,
        no_training_plan=no_training_plan,
        config=program.config,
        progress=terminal_progress(),
    )
    return _closed(result)


def route(
    candidates: Path,
    *,
    families: FamilyOptions = FAMILIES,
    output: OutputOptions = OUTPUT,
    program: ProgramOptions = PROGRAM,
) -> int:
    """Turn a candidates table of your own into a routing plan and a training plan.

    Parameters
    ----------
    candidates
        Parquet, CSV or JSON with at least target, symbol, score, sample_size.
    """
    from trainroute import pipeline
    from trainroute.plan import DEFAULT_OUTPUT

    result = pipeline.route(
        candidates,
        output_dir=output.output_dir or DEFAULT_OUTPUT,
        families=families.families,
        model_types=families.model_types,
        config=program.config,
    )
    return _closed(result)


def intelligent_trainer(
    *,
    data: DataOptions,
    selection: SelectionOptions = SELECTION,
    families: SequentialFamilyOptions = SEQUENTIAL_FAMILIES,
    output: OutputOptions = OUTPUT,
    skip_training: Flag = False,
    executor: ExecutorOptions = EXECUTOR,
    program: ProgramOptions = PROGRAM,
) -> int:
    """Rank, select, measure, route, plan, train, with all model families by default.

    Parameters
    ----------
    skip_training
        Stop when the plan is written.
    """
    return run(
        data=data,
        selection=selection,
        families=families,
        output=output,
        skip_training=skip_training,
        executor=executor,
        program=program,
    )


def training_main(
    *,
    data: DataOptions,
    families: SequentialFamilyOptions = SEQUENTIAL_FAMILIES,
    plan: PlanOptions = PLAN,
    no_training_plan: Flag = False,
    executor: ExecutorOptions = EXECUTOR,
    program: ProgramOptions = PROGRAM,
) -> int:
    """Train by the plan that is there, with all model families by default.

    Parameters
    ----------
    no_training_plan
        Train one pooled model per target, whatever plan is there.
    """
    return train(
        data=data,
        families=families,
        plan=plan,
        no_training_plan=no_training_plan,
        executor=executor,
        program=program,
    )


def _closed(result: "RunResult") -> int:
    from trainroute.report.tables import print_summary

    print_summary(
        routing=result.routing,
        plan=result.plan,
        report=None if result.outcome is None else result.outcome.report,
        files=result.files,
    )
    return result.exit_code
