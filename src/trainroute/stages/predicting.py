"""New rows to predictions, by the plan's routes and the models that were trained by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import polars as pl

from trainroute.config import Config
from trainroute.errors import PlanNotFoundError, UsageError, bounded
from trainroute.logs import LOGGER, ensure_logging
from trainroute.panel import data_symbols, require_features
from trainroute.plan import (
    DEFAULT_OUTPUT,
    ROUTING_PLAN_DIR,
    find_training_plan_dir,
    inputs_beside,
    lists_no_symbols,
    load_training_plan,
    require_fresh,
    with_symbols,
)
from trainroute.plan.staleness import output_of
from trainroute.progress import Progress, SilentProgress
from trainroute.records.artifacts import write_json_artifact
from trainroute.records.patterns import selected
from trainroute.records.plan import TrainingPlan
from trainroute.records.predictions import EVALUATION_SCHEMA_VERSION, PredictionEvaluation
from trainroute.records.routing_file import OpenedRoutingPlan, open_routing_plan, routing_plan_file
from trainroute.records.routing_io import read_routing_plan
from trainroute.records.vocabulary import RouteState
from trainroute.serving import Asked, Decision, Served, Service, Unseen, Weights, find_models, find_services, serve
from trainroute.serving.models import JobModels, check_outputs, latest_start, read_features, start_of_plan
from trainroute.serving.table import write_predictions
from trainroute.serving.unplanned import plan_of_models
from trainroute.stages.common import ConfigLike, as_config, check_places, families_asked_for
from trainroute.train.inputs import run_inputs
from trainroute.train.resume import MODELS

PREDICTIONS = Path("predictions", "predictions.parquet")
_REASONS_JOINED = 3


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What `predict` made.

    Attributes
    ----------
    path : Path
        The Parquet file.
    plan : TrainingPlan
    rows, predicted : int
        Rows of the file, and those of them with a prediction.
    unanswered : mapping of str to int
        How many (target, symbol) have none, by reason, most frequent first.
    absent : tuple of str
        Models of the plan that are not there, one line each.
    evaluation : PredictionEvaluation or None
        With ``weights="evaluated"``; also written to ``evaluation_path``.
    evaluation_path : Path or None
    """

    path: Path
    plan: TrainingPlan
    rows: int
    predicted: int
    unanswered: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    evaluation: PredictionEvaluation | None = None
    evaluation_path: Path | None = None

    def frame(self) -> pl.DataFrame:
        """Read the predictions: ``ts, symbol, target, class, prediction, route, model, reason``."""
        return pl.read_parquet(self.path)


def predict(
    data_dir: Path | str,
    *,
    symbols: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    output_dir: Path | str | None = None,
    training_plan_dir: Path | str | None = None,
    no_training_plan: bool = False,
    since: datetime | str | None = None,
    weights: Weights = "plan",
    unseen: Unseen = "cs",
    output: Path | str | None = None,
    allow_stale: bool = False,
    allow_edited: bool = False,
    config: ConfigLike = None,
    progress: Progress | None = None,
) -> Predictions:
    """Predict new rows: each (target, symbol) by its pooled model, its own, or their blend, as the plan routes it.

    Parameters
    ----------
    data_dir : Path or str
        New rows, in the same form as those of training; targets need not be among the columns.
    symbols, targets : sequence of str, optional
        Only these, by names or globs; all symbols of the data and all targets of the plan without them.
    families : sequence of str, optional
        Ask only these families of each job, by names or globs.
    output_dir : Path or str, optional
        Where ``models`` lie; ``results`` without it. See `find_training_plan_dir` for where the plan is looked for.
    training_plan_dir : Path or str, optional
        Use the plan in this directory.
    no_training_plan : bool
        Ask the pooled models that were trained without a plan, whatever plan is there.
    since : datetime or str, optional
        Predict rows from this time on (ISO 8601, UTC where it says nothing). Without it, from the start of the holdout:
        earlier rows were seen in training, and what a model says of them proves nothing.
    weights : str
        For symbols with both models: ``plan`` (its blend weight), ``cs``, ``local``, ``equal``; ``evaluated`` predicts
        as ``plan`` and compares blend, pooled and local on the labelled rows of the holdout.
    unseen : str
        ``cs``: the pooled model answers for symbols that the plan does not know; ``refuse``: nobody does.
    output : Path or str, optional
        The Parquet file; ``<output_dir>/predictions/predictions.parquet`` without it.
    allow_stale, allow_edited : bool
        Use a plan too that other candidates or settings were made into, or that is not what was written.
    config : Config or path, optional
    progress : Progress, optional

    Raises
    ------
    TrainrouteError
        BrokenPlanError and StalePlanError for a plan that cannot be trusted; TrainingError for a model that cannot;
        DataError for rows that do not fit the models; UsageError for unknown names.
    """
    ensure_logging()
    settings, data_dir = as_config(config), Path(data_dir)
    root = DEFAULT_OUTPUT if output_dir is None else Path(output_dir)
    path = root / PREDICTIONS if output is None else Path(output)
    check_places(data_dir, root)
    _check_output(path, data_dir)
    moment = None if since is None else _microseconds(since)
    if no_training_plan and training_plan_dir is not None:
        raise UsageError("--no-training-plan and --training-plan-dir exclude each other; give one of them")
    plan_dir = None
    if no_training_plan:
        plan = plan_of_models(root / MODELS, targets)
    else:
        given = None if training_plan_dir is None else Path(training_plan_dir)
        plan_dir = _plan_dir(None if output_dir is None else root, given)
        plan = _trusted(plan_dir, settings, allow_stale=allow_stale, allow_edited=allow_edited)
    everywhere = data_symbols(data_dir)
    if lists_no_symbols(plan):
        plan = with_symbols(plan, tuple(sorted(everywhere)))
    services = _services(
        plan, plan_dir, everywhere, symbols, targets, weights=weights, unseen=unseen, allow_edited=allow_edited
    )
    found = find_models(
        plan,
        list(
            {job.job_id: job for pairs in services.values() for one in pairs.values() for job, _ in one.jobs}.values()
        ),
        root / MODELS,
        families=None if families is None else families_asked_for(families, None, settings).names,
        data_settings=None if allow_stale else run_inputs(settings, plan_id="", data_fingerprint="")["data settings"],
    )
    absent = _checked(found, services, data_dir, root)
    start = latest_start(found) or start_of_plan(plan, root / MODELS)
    metadata = {"plan_id": plan.metadata.plan_id, "weights": weights, "unseen": unseen}
    if start is None and moment is None:
        if plan.jobs:
            raise UsageError(
                f"{root / MODELS}: no model of the plan's {len(plan.jobs)} jobs; train with 'trainroute train'"
            )
        LOGGER.info("Nothing to predict: the plan has no jobs; the file has no rows")
        write_predictions(path, [], metadata)
        return Predictions(path=path, plan=plan, rows=0, predicted=0, unanswered=_blocked(services))
    asked = Asked(
        data_dir=data_dir,
        services=services,
        found=found,
        timeline_symbols=plan.metadata.symbols,
        since=_since(moment, start),
        evaluated=weights == "evaluated",
    )
    served = serve(
        asked,
        settings,
        output=path,
        metadata={**metadata, "since": asked.since, "holdout_start": start},
        progress=progress or SilentProgress(),
    )
    evaluation, beside = _evaluation(served, plan, asked, path)
    return Predictions(
        path=path,
        plan=plan,
        rows=served.rows,
        predicted=served.predicted,
        unanswered=dict(served.unanswered.most_common()),
        absent=absent,
        evaluation=evaluation,
        evaluation_path=beside,
    )


def _plan_dir(output_dir: Path | None, given: Path | None) -> Path:
    found = find_training_plan_dir(output_dir, given)
    if found is None:
        raise PlanNotFoundError(
            f"no training plan under {output_dir or DEFAULT_OUTPUT}; 'trainroute run' writes one and trains it; give "
            "--training-plan-dir, or --no-training-plan for models that were trained without one"
        )
    return found


def _trusted(plan_dir: Path, config: Config, *, allow_stale: bool, allow_edited: bool) -> TrainingPlan:
    """Read a plan that still fits its candidates, routing plan and settings; new data are other data by nature."""
    plan = load_training_plan(plan_dir, allow_edited=allow_edited)
    now = inputs_beside(plan_dir, config, allow_edited=allow_edited)
    for problem in require_fresh(plan, now, allow_stale=allow_stale):
        LOGGER.warning("%s", problem.message)
    return plan


def _services(
    plan: TrainingPlan,
    plan_dir: Path | None,
    everywhere: frozenset[str],
    symbols: Sequence[str] | None,
    targets: Sequence[str] | None,
    *,
    weights: Weights,
    unseen: Unseen,
    allow_edited: bool,
) -> dict[str, dict[str, Service]]:
    known = {job.target for job in plan.jobs} | set(plan.metadata.targets)
    wanted = known if targets is None else selected("target of this plan", targets, known)
    of_data = everywhere if symbols is None else selected("symbol of the data", symbols, everywhere)
    routing = None if plan_dir is None else routing_plan_file(output_of(plan_dir) / ROUTING_PLAN_DIR)

    @cache
    def opened(path: Path) -> OpenedRoutingPlan:
        return open_routing_plan(path, wanted)

    def decisions(target: str) -> Mapping[str, Decision]:
        if routing is None or not routing.is_file():
            return {}
        if target not in decided:
            pairs = read_routing_plan(
                routing, targets=[target], allow_edited=allow_edited, opened=opened(routing)
            ).pairs
            decided[target] = {
                symbol: Decision(route=RouteState(route), reason="; ".join(reasons[:_REASONS_JOINED]))
                for symbol, route, reasons in pairs.select("symbol", "route", "reasons").iter_rows()
            }
        return decided[target]

    decided: dict[str, dict[str, Decision]] = {}
    return find_services(plan, wanted, of_data, weights=weights, unseen=unseen, decisions=decisions)


def _checked(
    found: Mapping[str, JobModels], services: Mapping[str, Mapping[str, Service]], data_dir: Path, root: Path
) -> tuple[str, ...]:
    """Check models and columns before any row is read; return what is not there."""
    absent = tuple(f"{job.job_id}: {why}" for job in found.values() for why in job.absent)
    if found and not any(job.models for job in found.values()):
        raise UsageError(
            f"{root / MODELS}: no model for what was asked, e.g. {absent[0]}; train with 'trainroute train'"
        )
    for target, pairs in services.items():
        ids = {job.job_id for service in pairs.values() for job, _ in service.jobs}
        check_outputs(target, [found[job_id] for job_id in sorted(ids)])
        answered = [symbol for symbol, service in pairs.items() if service.jobs]
        if answered:
            require_features(data_dir, answered, read_features([found[job_id] for job_id in sorted(ids)]))
    if absent:
        LOGGER.warning("Models that the plan has and nobody asks: %s", bounded(absent))
    return absent


def _since(given: int | None, start: int | None) -> int:
    if given is None:
        assert start is not None  # noqa: S101 - one of them is known
        return start
    if start is not None and given < start:
        LOGGER.warning("Rows before %s were seen in training; predictions of them prove nothing", _moment(start))
    return given


def _evaluation(
    served: Served, plan: TrainingPlan, asked: Asked, path: Path
) -> tuple[PredictionEvaluation | None, Path | None]:
    if not asked.evaluated:
        return None, None
    evaluation = PredictionEvaluation(
        schema_version=EVALUATION_SCHEMA_VERSION,
        plan_id=plan.metadata.plan_id,
        since=asked.since,
        targets=tuple(served.evaluations),
    )
    beside = path.with_suffix(".evaluation.json")
    write_json_artifact(beside, {name: getattr(evaluation, name) for name in evaluation})
    return evaluation, beside


def _blocked(services: Mapping[str, Mapping[str, Service]]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for service in (service for pairs in services.values() for service in pairs.values()):
        counted[service.reason or ""] = counted.get(service.reason or "", 0) + 1
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _check_output(path: Path, data_dir: Path) -> None:
    if path.suffix != ".parquet":
        raise UsageError(f"--output {path}: expected a name that ends in .parquet")
    if path.is_dir():
        raise UsageError(f"--output {path}: is a directory; give the name of a file")
    if path.resolve().is_relative_to(data_dir.resolve()):
        raise UsageError(f"--output {path} lies in --data-dir {data_dir}, so it would be read as data; choose another")


def _microseconds(since: datetime | str) -> int:
    try:
        moment = since if isinstance(since, datetime) else datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(f"--since {since}: expected a date or time such as 2024-01-31 or 2024-01-31T15:30") from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, tz=UTC).isoformat()
