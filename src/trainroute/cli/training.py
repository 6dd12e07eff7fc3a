"""Commands that train: `run`, `train`, and the two behind ``python -m TRAINING.…``.

The pipeline is imported when a command is carried out, so that its help page comes at once.
"""

from typing import TYPE_CHECKING

from trainroute.cli.run_options import (
    RunOptions,
    SequentialRunOptions,
    SequentialTrainOptions,
    TrainOptions,
)

if TYPE_CHECKING:
    from trainroute.pipeline import RunResult


def run(*, options: RunOptions) -> int:
    """Rank targets, select features, measure, route, plan, and train exactly that plan."""
    from trainroute import pipeline
    from trainroute.plan import DEFAULT_OUTPUT
    from trainroute.report.progress import terminal_progress

    result = pipeline.run(
        options.data_dir,
        symbols=options.symbols,
        targets=options.targets,
        features=options.features,
        auto_targets=options.auto_targets,
        auto_features=options.auto_features,
        top_n_targets=options.top_n_targets,
        top_m_features=options.top_m_features,
        families=options.families,
        model_types=options.model_types,
        output_dir=options.output_dir or DEFAULT_OUTPUT,
        config=options.config,
        force_refresh=options.force_refresh,
        skip_training=options.skip_training,
        max_jobs=options.max_jobs,
        max_cost=options.max_cost,
        cost_from_ledger=options.cost_from_ledger,
        resume=options.resume,
        progress=terminal_progress(),
    )
    return closed(result)


def train(*, options: TrainOptions) -> int:
    """Train by the plan that is there; without one, one pooled model per target."""
    from trainroute import pipeline
    from trainroute.report.progress import terminal_progress

    result = pipeline.train(
        options.data_dir,
        symbols=options.symbols,
        targets=options.targets,
        routes=options.routes,
        types=options.types,
        min_priority=options.min_priority,
        job=options.job,
        families=options.families,
        model_types=options.model_types,
        output_dir=options.output_dir,
        training_plan_dir=options.training_plan_dir,
        no_training_plan=options.no_training_plan,
        allow_stale=options.allow_stale,
        allow_edited=options.allow_edited,
        resume=options.resume,
        config=options.config,
        progress=terminal_progress(),
    )
    return closed(result)


def intelligent_trainer(*, options: SequentialRunOptions) -> int:
    """Rank, select, measure, route, plan, train, with all model families by default."""
    return run(options=options)


def training_main(*, options: SequentialTrainOptions) -> int:
    """Train by the plan that is there, with all model families by default."""
    return train(options=options)


def closed(result: "RunResult") -> int:
    """Print the closing summary of a command; return its exit code."""
    from trainroute.report.tables import print_summary

    print_summary(
        routing=result.routing,
        plan=result.plan,
        report=None if result.outcome is None else result.outcome.report,
        files=result.files,
    )
    return result.exit_code
