"""Candidates to decisions, decisions to jobs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import polars as pl

from trainroute.config import Config
from trainroute.errors import UsageError, bounded
from trainroute.families import FamilySelection, select_families
from trainroute.logs import LOGGER
from trainroute.panel import data_fingerprint
from trainroute.parallel import beside
from trainroute.plan import Budget, build_training_plan, check_training_plan_dir, write_training_plan
from trainroute.provenance import git_commit, utc_now
from trainroute.provenance import run_id as new_run_id
from trainroute.records.candidates import Candidates
from trainroute.records.candidates_io import validate_candidates, write_candidates
from trainroute.records.directories import Replacing, Together, replaced_directory
from trainroute.records.measured_data import MeasuredData, read_measured_data, write_measured_data
from trainroute.records.pins import unmatched_pins
from trainroute.records.plan import NO_POOL, FeatureSet, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_file import routing_plan_file
from trainroute.records.routing_io import check_routing_plan_dir, read_routing_plan, write_routing_plan
from trainroute.route import build_routing_plan, overruled_pins
from trainroute.stages.common import METRICS, ROUTING_PLAN, TRAINING_PLAN, ConfigLike, as_config
from trainroute.stages.planning_lock import planning_into
from trainroute.train import mean_seconds


def budget_of(output_dir: Path, max_jobs: int | None, max_cost: float | None, *, cost_from_ledger: bool) -> Budget:
    """Return the budget that the options of a command mean.

    Raises
    ------
    UsageError
        If a limit is not positive, or none is given that the ledger could serve.
    """
    if cost_from_ledger and max_jobs is None and max_cost is None:
        raise UsageError("--cost-from-ledger says what --max-cost counts; give --max-cost or --max-jobs too")
    seconds = mean_seconds(output_dir) if cost_from_ledger else None
    return Budget(max_jobs=max_jobs, max_cost_seconds=max_cost, seconds=seconds)


class TrainingRouter:
    """Candidates to decisions.

    Parameters
    ----------
    config : Config, mapping or path, optional
        Settings, as an object, as the content of a config file, or its path; see `load_config` for what is read
        without it.
    """

    def __init__(self, config: ConfigLike = None) -> None:
        self.config = as_config(config)

    def route(
        self,
        candidates: Candidates | pl.DataFrame,
        *,
        generated_at: str | None = None,
        git_commit: str | None = None,
        previous: RoutingPlan | None = None,
        cut_from: Candidates | None = None,
    ) -> RoutingPlan:
        """Decide the route of every (target, symbol); ``previous`` is the plan that hysteresis holds on to.

        ``cut_from`` as of `generate_routing_plan`.
        """
        if not isinstance(candidates, Candidates):
            candidates = validate_candidates(candidates, "the candidates")
        return build_routing_plan(
            candidates,
            self.config,
            generated_at=generated_at or utc_now(),
            git_commit=git_commit,
            previous=previous,
            cut_from=cut_from,
        )

    def generate_routing_plan(
        self,
        routing_candidates: Candidates | pl.DataFrame,
        output_dir: Path | str,
        git_commit: str | None = None,
        *,
        cut_from: Candidates | None = None,
    ) -> RoutingPlan:
        """Decide, and write ``routing_plan.{json,parquet,yaml,md}`` into ``output_dir``.

        Where the candidates are a part of the table that lies in ``METRICS``, ``cut_from`` is that table: the plan is
        stale once it changes. With ``routing.hysteresis`` the plan that lies in ``output_dir`` is held on to.

        Raises
        ------
        ConfigError
            If a pin has expired, or two contradict each other. One that means no pair is a warning.
        BrokenPlanError
            If hysteresis is on and the plan in ``output_dir`` cannot be trusted.
        """
        plan = self.route_after(routing_candidates, output_dir, git_commit, cut_from=cut_from)
        self.write(plan, output_dir)
        return plan

    def route_after(
        self,
        routing_candidates: Candidates | pl.DataFrame,
        output_dir: Path | str,
        git_commit: str | None = None,
        *,
        cut_from: Candidates | None = None,
    ) -> RoutingPlan:
        """Decide as `generate_routing_plan`, after the plan that lies in ``output_dir``, and write nothing."""
        there = routing_plan_file(Path(output_dir))
        on = self.config.routing.hysteresis.on and there.exists()
        previous = read_routing_plan(there, explained=False) if on else None
        plan = self.route(routing_candidates, git_commit=git_commit, previous=previous, cut_from=cut_from)
        for name in unmatched_pins(plan.routing.pins, plan.pairs):
            LOGGER.warning("routing.pins: %s means no (target, symbol) of the candidates", name)
        for pin, cause, count in overruled_pins(plan.pairs):
            LOGGER.warning("routing.pins: %s asks for models that %d pairs cannot have: %s", pin, count, cause)
        alone = sorted({*plan.targets}.difference(plan.pairs["target"]))
        if alone:
            LOGGER.warning(
                "no symbol has a row for %s, so nothing is routed there; add a row per symbol", bounded(alone)
            )
        return plan

    def write(self, plan: RoutingPlan, output_dir: Path | str, *, together: Together | None = None) -> None:
        """Write ``routing_plan.{json,parquet,yaml,md}`` into ``output_dir``; ``together``: with all else."""
        path = write_routing_plan(plan, output_dir, replaced=_replacing(together))
        _said(together, lambda: LOGGER.info("Training routing plan generated: %s", path))


class TrainingPlanGenerator:
    """Decisions to jobs.

    Parameters
    ----------
    routing_plan : RoutingPlan
    model_families : sequence of str, optional
        By name, whatever the case; the standard families of the config without it.
    config : Config, mapping or path, optional
    feature_sets : mapping of str to FeatureSet, optional
        By the ids that the routing plan names. A job without its set trains on all features that pass the leak checks
        at training time.
    budget : Budget, optional
        Keep only the jobs of greatest value per cost.
    """

    def __init__(
        self,
        routing_plan: RoutingPlan,
        model_families: Sequence[str] | None = None,
        config: ConfigLike = None,
        *,
        feature_sets: Mapping[str, FeatureSet] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.routing_plan = routing_plan
        self.config = as_config(config)
        selection = select_families(model_families, standard=self.config.planning.standard_families)
        self.model_families = selection.names
        self.feature_sets = feature_sets or {}
        self.budget = budget

    def generate_training_plan(
        self,
        output_dir: Path | str,
        *,
        data_fingerprint: str | None = None,
        data_symbols: Sequence[str] | None = None,
        routing_plan_path: Path | str | None = None,
        run_id: str | None = None,
        git_commit: str | None = None,
    ) -> TrainingPlan:
        """Plan, and write every file of the plan into ``output_dir`` (usually ``globals/training_plan``)."""
        plan = self.plan(
            data_fingerprint=data_fingerprint,
            data_symbols=data_symbols,
            routing_plan_path=routing_plan_path,
            run_id=run_id,
            git_commit=git_commit,
        )
        self.write(plan, output_dir)
        return plan

    def plan(
        self,
        *,
        data_fingerprint: str | None = None,
        data_symbols: Sequence[str] | None = None,
        routing_plan_path: Path | str | None = None,
        run_id: str | None = None,
        git_commit: str | None = None,
    ) -> TrainingPlan:
        """Plan as `generate_training_plan`, and write nothing."""
        generated_at = utc_now()
        return build_training_plan(
            self.routing_plan,
            self.config,
            families=self.model_families,
            feature_sets=self.feature_sets,
            data_fingerprint=data_fingerprint,
            data_symbols=data_symbols,
            run_id=run_id or new_run_id(generated_at),
            generated_at=generated_at,
            git_commit=git_commit,
            routing_plan_path="" if routing_plan_path is None else str(routing_plan_path),
            budget=self.budget,
        )

    def write(self, plan: TrainingPlan, output_dir: Path | str, *, together: Together | None = None) -> None:
        """Write every file of the plan into ``output_dir``; ``together``: with all else."""
        formats = self.config.routing.dump_plan_as
        path = write_training_plan(plan, output_dir, formats=formats, replaced=_replacing(together))
        _said(together, lambda: self._say(plan, path))

    def _say(self, plan: TrainingPlan, path: Path) -> None:
        LOGGER.info("Training plan generated: %s (%d jobs)", path, len(plan.jobs))
        if plan.summary.budget is not None:
            LOGGER.info("Budget: %d of %d jobs kept", len(plan.jobs), plan.summary.budget.jobs_asked)
        unserved = plan.summary.pairs_without_pool
        if unserved:
            LOGGER.warning("%d pairs are routed to %s, so no model serves them", unserved, NO_POOL)


def _replacing(together: Together | None) -> Replacing:
    return replaced_directory if together is None else together.directory


def _said(together: Together | None, say: Callable[[], object]) -> None:
    if together is None:
        say()
    else:
        together.then(say)


def check_plan_dirs(output_dir: Path) -> None:
    """Refuse, before anything is worked out, an output directory in which plans could not be written.

    Raises
    ------
    PlanError
        If the directory of a plan is a file, or holds files that are not a plan's.
    """
    check_routing_plan_dir(output_dir / ROUTING_PLAN)
    check_training_plan_dir(output_dir / TRAINING_PLAN)


def plan_candidates(
    candidates: Candidates,
    config: Config,
    *,
    output_dir: Path,
    families: FamilySelection,
    feature_sets: Mapping[str, FeatureSet],
    data_dir: Path | None = None,
    budget: Budget | None = None,
    copy_candidates: bool = False,
) -> tuple[RoutingPlan, TrainingPlan]:
    """Decide and plan, and write both plans into an output directory.

    The next thing is worked out while the last one is written; copied candidates and both plans take their places
    together. One process at a time does so, and none where somebody trains (`planning_into`).

    Parameters
    ----------
    candidates : Candidates
    config : Config
    output_dir : Path
    families : FamilySelection
    feature_sets : mapping of str to FeatureSet
    data_dir : Path, optional
        The data that the candidates were measured on, so that the plan notices when they change. Without it those that
        the output directory records for these candidates, if it does.
    budget : Budget, optional
    copy_candidates : bool
        Write the candidates into ``METRICS`` too.

    Raises
    ------
    TrainrouteError
        PlanError where a plan cannot be written, OutputInUseError where another process plans or trains there.
    """
    commit, router = git_commit(), TrainingRouter(config)
    with planning_into(output_dir) as together:
        copying = partial(
            write_candidates,
            candidates,
            output_dir / METRICS,
            table_format=config.routing.dump_candidates_as,
            together=together,
        )
        with beside(copying) if copy_candidates else nullcontext():
            routing = router.route_after(candidates, output_dir / ROUTING_PLAN, git_commit=commit)
        measured = _measured_data(output_dir / METRICS, routing, data_dir)
        generator = TrainingPlanGenerator(routing, families.names, config, feature_sets=feature_sets, budget=budget)
        with beside(partial(router.write, routing, output_dir / ROUTING_PLAN, together=together)):
            plan = generator.plan(
                data_fingerprint=None if measured is None else measured.data_fingerprint,
                data_symbols=None if measured is None else measured.symbols,
                routing_plan_path=ROUTING_PLAN / "routing_plan.json",
                git_commit=commit,
            )
            generator.write(plan, output_dir / TRAINING_PLAN, together=together)
    return routing, plan


def _measured_data(metrics_dir: Path, routing: RoutingPlan, data_dir: Path | None) -> MeasuredData | None:
    """Return the data behind a routing plan: those of a measurement just made, or those that are recorded."""
    snapshot = routing.metadata.metrics_snapshot
    if data_dir is None:
        return read_measured_data(metrics_dir, snapshot)
    return write_measured_data(
        metrics_dir,
        metrics_snapshot=snapshot,
        data_fingerprint=data_fingerprint(data_dir, routing.symbols),
        symbols=routing.symbols,
    )
