"""What the names under ``TRAINING`` promise beyond the stages: other shapes of the same answers."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from trainroute import pipeline
from trainroute.errors import UsageError
from trainroute.evaluate import read_feature_sets
from trainroute.families import select_families
from trainroute.logs import ensure_logging
from trainroute.panel import load_panel
from trainroute.plan import Severity, compare_plans, load_training_plan, problems_beside, validate_plan
from trainroute.records.measured_data import read_measured_data
from trainroute.records.names import file_names
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan
from trainroute.report.tables import print_plan
from trainroute.stages import (
    METRICS,
    ROUTING_PLAN,
    TRAINING_PLAN,
    MetricsAggregator,
    TrainingPlanGenerator,
    TrainingRouter,
    as_config,
    planning_into,
    train_without_plan,
)
from trainroute.train import TrainingOutcome

ALL_FAMILIES = "sequential"


class IntelligentTrainer(pipeline.IntelligentTrainer):
    """`trainroute.IntelligentTrainer`, with all model families by default as users of the ``TRAINING`` name expect."""

    default_model_types = ALL_FAMILIES


def generate_routing_plan_after_feature_selection(
    output_dir: Path | str,
    targets: Sequence[str],
    symbols: Sequence[str],
    routing_config_path: Path | str | None = None,
    generate_training_plan: bool = True,  # noqa: FBT001, FBT002 - the signature is a public contract
    model_families: Sequence[str] | None = None,
) -> RoutingPlan:
    """Route, and plan, what a measurement left in an output directory.

    The plans carry the commit of the measurement, and the training plan the content hash of all data that were
    measured: it is stale once these change, also where it decides on a part of the symbols.

    Parameters
    ----------
    output_dir : Path or str
        The directory that holds ``METRICS``. Its candidates table stays as it is: the plans decide on a part of it, and
        are stale once any of it changes.
    targets, symbols : sequence of str
    routing_config_path : Path or str, optional
    generate_training_plan : bool
        Whether ``globals/training_plan`` is written too.
    model_families : sequence of str, optional
        All that exist without it.

    Raises
    ------
    CandidatesError
        If there is no candidates table.
    UnknownNameError
        If a target, a symbol or a family does not exist.
    OutputInUseError
        If another process plans or trains there.
    """
    ensure_logging()
    output_dir = Path(output_dir)
    config = as_config(routing_config_path)
    families = select_families(model_families, group=ALL_FAMILIES).names
    aggregator = MetricsAggregator(output_dir)
    measured = aggregator.measured()
    candidates = aggregator.aggregate_routing_candidates(targets, symbols)
    commit = next(iter(measured.frame["git_commit"].drop_nulls().to_list()), None)
    router = TrainingRouter(config)
    with planning_into(output_dir) as together:
        routing = router.route_after(candidates, output_dir / ROUTING_PLAN, git_commit=commit, cut_from=measured)
        router.write(routing, output_dir / ROUTING_PLAN, together=together)
        if generate_training_plan:
            generator = TrainingPlanGenerator(routing, families, config, feature_sets=read_feature_sets(output_dir))
            data = read_measured_data(output_dir / METRICS, measured.snapshot)
            plan = generator.plan(
                data_fingerprint=None if data is None else data.data_fingerprint,
                data_symbols=None if data is None else data.symbols,
                routing_plan_path=ROUTING_PLAN / "routing_plan.json",
                git_commit=commit,
            )
            generator.write(plan, output_dir / TRAINING_PLAN, together=together)
    return routing


def load_routing_plan(routing_plan_dir: Path | str) -> RoutingPlan:
    """Read the routing plan in a directory.

    Raises
    ------
    PlanError
        If it is absent or broken.
    """
    return read_routing_plan(Path(routing_plan_dir))


def train_models_for_interval_comprehensive(
    interval: str,
    targets: Sequence[str],
    mtf_data: Mapping[str, Any],
    families: Sequence[str] | None = None,
    strategy: str = "single_task",
    output_dir: Path | str = "output",
    *,
    target_features: Mapping[str, Sequence[str]] | None = None,
    target_families: Mapping[str, Sequence[str]] | None = None,
) -> TrainingOutcome:
    """Train one pooled model per target and family on frames in memory.

    Parameters
    ----------
    interval : str
        Of the bars, such as ``5m`` or ``1d``; checked against the data.
    targets : sequence of str
        Target columns.
    mtf_data : mapping of str to frame
        For each symbol a Polars or pandas frame with a time column, features and targets.
    families : sequence of str, optional
        The global list: for targets that ``target_families`` does not name. All that exist without it.
    strategy : str
        Only ``single_task`` exists.
    output_dir : Path or str
    target_features : mapping of str to sequence of str, optional
        For a target the only features that it may use. Those that fail the leak checks are left out all the same.
    target_families : mapping of str to sequence of str, optional
        For a target its own families.

    Raises
    ------
    UsageError
        If the strategy or a family does not exist, or a target named is not among ``targets``.
    DataError
        If the frames break an invariant of a panel.
    """
    ensure_logging()
    if strategy != "single_task":
        raise UsageError(f"strategy must be 'single_task', got {strategy!r}")
    for name, given in (("target_features", target_features), ("target_families", target_families)):
        others = sorted(set(given or {}).difference(targets))
        if others:
            raise UsageError(f"{name} names {others[0]!r}, which is not among the targets")
    config = as_config(None)
    data = config.data.model_copy(update={"bar_interval": interval})
    own = {target: select_families(names).names for target, names in (target_families or {}).items()}
    with tempfile.TemporaryDirectory(prefix="trainroute-") as folder:
        data_dir = Path(folder)
        for symbol, name in file_names(mtf_data).items():
            frame = pl.DataFrame(mtf_data[symbol]).with_columns(symbol=pl.lit(symbol))
            frame.write_parquet(data_dir / f"{name}.parquet")
        _, outcome = train_without_plan(
            load_panel(data_dir, data, targets=targets),
            config.model_copy(update={"data": data}),
            data_dir=data_dir,
            output_dir=Path(output_dir),
            families=select_families(families, group=ALL_FAMILIES),
            target_families=own,
            target_features=target_features,
        )
    return outcome


def validate_training_plan(training_plan: TrainingPlan | Path | str) -> tuple[bool, list[str]]:
    """Say whether a plan, or the plan in a directory, is valid, and what is wrong with it.

    Raises
    ------
    PlanError
        If the directory holds no plan, or a broken one.
    """
    if isinstance(training_plan, TrainingPlan):
        problems = validate_plan(training_plan)
    else:
        problems = problems_beside(Path(training_plan), load_training_plan(training_plan))
    return not any(problem.severity is Severity.ERROR for problem in problems), [str(problem) for problem in problems]


def compare_training_plans(a: TrainingPlan | Path | str, b: TrainingPlan | Path | str) -> dict[str, Any]:
    """Compare two plans, given themselves or by their directories.

    Returns
    -------
    dict
        ``added_jobs``, ``removed_jobs``, ``changed_jobs`` (ids), ``changes`` (by id: field, before, after),
        ``plan1_total``, ``plan2_total`` and ``common_jobs`` (counts).
    """
    before, after = (plan if isinstance(plan, TrainingPlan) else load_training_plan(plan) for plan in (a, b))
    found = compare_plans(before, after).to_dict()
    changed = found.pop("changed_jobs")
    return {
        **found,
        "changed_jobs": [change["job_id"] for change in changed],
        "changes": {change["job_id"]: change["changes"] for change in changed},
        "plan1_total": len(before.jobs),
        "plan2_total": len(after.jobs),
        "common_jobs": len(before.jobs) - len(found["removed_jobs"]),
    }


def print_training_plan_summary(path: Path | str) -> None:
    """Print the counts and the jobs of the plan in a directory."""
    print_plan(load_training_plan(path))
