"""The order of the stages, and the only file that knows it.

`run`:
1. `measure`: evidence from the cache, or measured on the panel → ``METRICS``.
2. `plan_candidates`: decisions → ``METRICS/routing_plan``, jobs → ``globals/training_plan``.
3. `train_planned`: exactly these jobs → ``models``, ``globals``.

`train` begins at step 3 with a plan from disk, or with one pooled job per target where there is none.
`route` does step 2 from a candidates table. `predict` asks the models of step 3 about new rows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from trainroute import stages
from trainroute.config.pins import require_unexpired
from trainroute.errors import TrainingError, UsageError
from trainroute.evaluate import read_feature_sets
from trainroute.families import STANDARD
from trainroute.lazy import imported_when_asked
from trainroute.logs import LOGGER, ensure_logging
from trainroute.panel import load_panel
from trainroute.plan import DEFAULT_OUTPUT, find_training_plan_dir
from trainroute.progress import Progress, SilentProgress
from trainroute.provenance import utc_now
from trainroute.records.candidates import Candidates
from trainroute.records.candidates_io import read_candidates
from trainroute.records.selectors import Selector
from trainroute.stages import (
    ConfigLike,
    RunResult,
    as_config,
    budget_of,
    check_places,
    check_plan_dirs,
    families_asked_for,
    plan_candidates,
)
from trainroute.train import require_free

if TYPE_CHECKING:
    from trainroute.stages.predicting import Predictions, predict

_HOMES = {"Predictions": "trainroute.stages.predicting", "predict": "trainroute.stages.predicting"}

__all__ = ["IntelligentTrainer", "Predictions", "RunResult", "predict", "route", "run", "train"]

__getattr__ = imported_when_asked(__name__, _HOMES)


def run(
    data_dir: Path | str,
    *,
    symbols: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    auto_targets: bool = False,
    auto_features: bool = False,
    top_n_targets: int = 10,
    top_m_features: int = 100,
    families: Sequence[str] | None = None,
    model_types: str | None = None,
    output_dir: Path | str = DEFAULT_OUTPUT,
    config: ConfigLike = None,
    force_refresh: bool = False,
    skip_training: bool = False,
    max_jobs: int | None = None,
    max_cost: float | None = None,
    cost_from_ledger: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Rank, select, measure, route, plan and train: the one command.

    Parameters
    ----------
    data_dir : Path or str
    symbols : sequence of str, optional
        All in the data without it.
    targets, features : sequence of str, optional
        These, instead of what ranking and selection choose.
    auto_targets, auto_features : bool
        Ask for ranking and selection by name; without a list they are done anyway.
    top_n_targets, top_m_features : int
        How many ranked targets to keep, and how many features per target at most.
    families : sequence of str, optional
        Model families by name; beats ``model_types``.
    model_types : str, optional
        ``standard`` (default), ``sequential``, ``cross-sectional`` or ``both``.
    output_dir : Path or str
    config : Config or path, optional
        See `trainroute.config.load_config` for what is read without it.
    force_refresh : bool
        Measure again, whatever the cache holds.
    skip_training : bool
        Stop when the plan is written.
    max_jobs, max_cost : int, float, optional
        Plan at most so many jobs, or core seconds of estimated cost: those of greatest value per cost.
    cost_from_ledger : bool
        Let ``max_cost`` count what each job × family took before, where the ledger knows it.
    resume : bool
        Keep each model of an earlier run that is whole and would come out the same.
    progress : Progress, optional

    Raises
    ------
    TrainrouteError
        DataError, ConfigError and UsageError for input that cannot be used; EvidenceError if nothing can be measured,
        and so no plan be written.
    """
    ensure_logging()
    settings, data_dir, output_dir = as_config(config), Path(data_dir), Path(output_dir)
    check_places(data_dir, output_dir)
    check_plan_dirs(output_dir)
    choice = stages.Choice.checked(
        symbols=symbols,
        targets=targets,
        features=features,
        auto_targets=auto_targets,
        auto_features=auto_features,
        top_n_targets=top_n_targets,
        top_m_features=top_m_features,
    )
    require_unexpired(settings.routing.pins, utc_now())
    asked = families_asked_for(families, model_types, settings)
    require_free(output_dir)
    budget = budget_of(output_dir, max_jobs, max_cost, cost_from_ledger=cost_from_ledger)
    evidence, panel = stages.measure(
        data_dir, settings, choice, output_dir=output_dir, force_refresh=force_refresh, progress=progress
    )
    routing, plan = plan_candidates(
        evidence.candidates,
        settings,
        output_dir=output_dir,
        families=asked,
        feature_sets=evidence.feature_sets,
        data_dir=data_dir,
        budget=budget,
    )
    outcome = None
    if not skip_training:
        outcome = stages.train_planned(
            plan,
            panel,
            settings,
            data_dir=data_dir,
            output_dir=output_dir,
            families=asked,
            resume=resume,
            progress=progress,
        )
    return RunResult(output_dir=output_dir, plan=plan, routing=routing, outcome=outcome, from_cache=evidence.from_cache)


def route(
    candidates: Candidates | Path | str,
    *,
    output_dir: Path | str = DEFAULT_OUTPUT,
    families: Sequence[str] | None = None,
    model_types: str | None = None,
    max_jobs: int | None = None,
    max_cost: float | None = None,
    cost_from_ledger: bool = False,
    config: ConfigLike = None,
) -> RunResult:
    """Turn a candidates table into a routing plan and a training plan.

    Parameters
    ----------
    candidates : Candidates, Path or str
        Parquet, CSV or JSON with at least ``target, symbol, score, sample_size``, or one that was read. It is copied to
        ``METRICS``.
    output_dir : Path or str
    families, model_types, max_jobs, max_cost, cost_from_ledger, config
        As of `run`.

    Raises
    ------
    TrainrouteError
        CandidatesError for a table that cannot be used, ConfigError and UsageError as of `run`.
    """
    ensure_logging()
    settings, output_dir = as_config(config), Path(output_dir)
    asked = families_asked_for(families, model_types, settings)
    check_plan_dirs(output_dir)
    require_free(output_dir)
    table = candidates if isinstance(candidates, Candidates) else read_candidates(Path(candidates))
    routing, plan = plan_candidates(
        table,
        settings,
        output_dir=output_dir,
        families=asked,
        feature_sets=read_feature_sets(output_dir),
        budget=budget_of(output_dir, max_jobs, max_cost, cost_from_ledger=cost_from_ledger),
        copy_candidates=True,
    )
    return RunResult(output_dir=output_dir, plan=plan, routing=routing)


def train(
    data_dir: Path | str,
    *,
    symbols: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    routes: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    min_priority: int | None = None,
    job: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    model_types: str | None = None,
    output_dir: Path | str | None = None,
    training_plan_dir: Path | str | None = None,
    no_training_plan: bool = False,
    allow_stale: bool = False,
    allow_edited: bool = False,
    resume: bool = False,
    config: ConfigLike = None,
    progress: Progress | None = None,
) -> RunResult:
    """Train by the plan that is there.

    Parameters
    ----------
    data_dir : Path or str
    symbols, targets : sequence of str, optional
        Select jobs of the plan, by names or globs; without a plan, the panel to train on, by names.
    routes, types : sequence of str, optional
        Select jobs of the plan by route (``BOTH``) and training type (``symbol_specific``), by names or globs.
    min_priority : int, optional
        Select jobs of at least this priority.
    job : sequence of str, optional
        Select jobs by their ids.
    families, model_types
        Restrict the families that the plan assigns; without either all of them. Without a plan, as of `run`.
    output_dir : Path or str, optional
        ``results`` without it; see `find_training_plan_dir` for where the plan is looked for.
    training_plan_dir : Path or str, optional
        Use the plan in this directory.
    no_training_plan : bool
        Train one pooled job per target, whatever plan is there.
    allow_stale, allow_edited : bool
        Train by a plan too that was made from something else, or is not what was written; a warning says what is
        ignored.
    resume, config, progress
        As of `run`.

    Raises
    ------
    TrainrouteError
        BrokenPlanError and StalePlanError for a plan that exists and cannot be trained by; UsageError for a name that
        the plan does not have; DataError, ConfigError.
    """
    ensure_logging()
    if no_training_plan and training_plan_dir is not None:
        raise UsageError("--no-training-plan and --training-plan-dir exclude each other; give one of them")
    settings, data_dir = as_config(config), Path(data_dir)
    selector = Selector(
        targets=_names(targets),
        symbols=_names(symbols),
        routes=_names(routes),
        types=_names(types),
        min_priority=min_priority,
        jobs=_names(job),
    )
    output = DEFAULT_OUTPUT if output_dir is None else Path(output_dir)
    check_places(data_dir, output)
    given = None if training_plan_dir is None else Path(training_plan_dir)
    found = None if no_training_plan else find_training_plan_dir(None if output_dir is None else output, given)
    if found is not None:
        restricted = None
        if families is not None or model_types is not None:
            restricted = families_asked_for(families, model_types, settings)
        plan, outcome = stages.train_by_plan(
            found,
            settings,
            data_dir=data_dir,
            output_dir=output,
            families=restricted,
            selector=selector,
            allow_stale=allow_stale,
            allow_edited=allow_edited,
            resume=resume,
            progress=progress,
        )
        return RunResult(output_dir=output, plan=plan, outcome=outcome)
    if selector != Selector(targets=selector.targets, symbols=selector.symbols):
        raise UsageError("--routes, --types, --min-priority and --job select jobs of a plan, and there is none")
    if not no_training_plan:
        LOGGER.warning("No training plan under %s: one pooled job per target, on features that pass the checks", output)
    asked = families_asked_for(families, model_types, settings)
    panel = load_panel(data_dir, settings.data, symbols=symbols, targets=targets, progress=progress or SilentProgress())
    plan, outcome = stages.train_without_plan(
        panel, settings, data_dir=data_dir, output_dir=output, families=asked, resume=resume, progress=progress
    )
    return RunResult(output_dir=output, plan=plan, outcome=outcome)


def _names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


class IntelligentTrainer:
    """The one command as an object.

    Parameters
    ----------
    data_dir : Path or str
    symbols : sequence of str, optional
        All in the data without it.
    output_dir : Path or str
    config : Config or path, optional
    progress : Progress, optional

    Examples
    --------
    >>> trainer = IntelligentTrainer("data", ["AAPL", "MSFT"], "results")
    >>> result = trainer.train_with_intelligence(auto_targets=True, top_n_targets=3)  # doctest: +SKIP
    """

    default_model_types: ClassVar[str] = STANDARD

    def __init__(
        self,
        data_dir: Path | str,
        symbols: Sequence[str] | None = None,
        output_dir: Path | str = DEFAULT_OUTPUT,
        *,
        config: ConfigLike = None,
        progress: Progress | None = None,
    ) -> None:
        self.data_dir = Path(data_dir)
        self.symbols = symbols
        self.output_dir = Path(output_dir)
        self.config = config
        self.progress = progress

    def train_with_intelligence(
        self,
        auto_targets: bool = False,  # noqa: FBT001, FBT002 - the signature is a public contract
        top_n_targets: int = 10,
        auto_features: bool = False,  # noqa: FBT001, FBT002 - the signature is a public contract
        top_m_features: int = 100,
        targets: Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        families: Sequence[str] | None = None,
        *,
        model_types: str | None = None,
        force_refresh: bool = False,
        skip_training: bool = False,
        resume: bool = False,
    ) -> RunResult:
        """Rank, select, measure, route, plan and train; parameters as of `run`.

        Raises
        ------
        TrainingError
            If there was something to train and every part of it failed.
        TrainrouteError
            As of `run`.
        """
        result = run(
            self.data_dir,
            symbols=self.symbols,
            targets=targets,
            features=features,
            auto_targets=auto_targets,
            auto_features=auto_features,
            top_n_targets=top_n_targets,
            top_m_features=top_m_features,
            families=families,
            model_types=model_types or self.default_model_types,
            output_dir=self.output_dir,
            config=self.config,
            force_refresh=force_refresh,
            skip_training=skip_training,
            resume=resume,
            progress=self.progress,
        )
        if result.outcome is not None and result.outcome.all_failed:
            first = result.outcome.report.gaps[0]
            raise TrainingError(f"every model failed, e.g. {first}; see {result.outcome.report_path}")
        return result
