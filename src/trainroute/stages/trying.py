"""What if: other settings on the candidates of a stored run, compared with its plan; nothing is written.

1. `_base`: the plan that lies in the output directory; without one, what the settings in force would decide.
2. `what_if` decides and plans again with some keys changed, and compares.
3. `sweep` decides again for each value of one key, and counts.

With hysteresis both hold on to the routing plan that lies there, as routing again with those settings would.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from trainroute.config import Config
from trainroute.config.override import check_decides, parse_setting, with_settings
from trainroute.config.pins import require_unexpired
from trainroute.config.strict_yaml import load_yaml
from trainroute.errors import CandidatesError, ConfigError, UsageError, one_line
from trainroute.evaluate import read_feature_sets
from trainroute.plan import DEFAULT_OUTPUT, Budget, build_training_plan, find_training_plan_dir
from trainroute.provenance import utc_now
from trainroute.records.candidates import Candidates
from trainroute.records.candidates_io import find_candidates, read_candidates
from trainroute.records.differences import PlansDifference, Sweep, SweepStep
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan, routes_counted
from trainroute.records.routing_file import routing_plan_file
from trainroute.records.routing_io import read_routing_plan
from trainroute.route import build_routing_plan, routes_of
from trainroute.stages.common import METRICS, ROUTING_PLAN, ConfigLike, as_config, families_asked_for
from trainroute.stages.comparing import DETAILS, Planned, compare, read_planned
from trainroute.train import mean_seconds

_MOST_VALUES = 1000
_RANGE_PARTS = 3


def what_if(
    settings: Mapping[str, Any] | Sequence[str] = (),
    *,
    output_dir: Path | str = DEFAULT_OUTPUT,
    candidates: Path | str | None = None,
    families: Sequence[str] | None = None,
    budget: Budget | None = None,
    config: ConfigLike = None,
    limit: int | None = DETAILS,
) -> PlansDifference:
    """Say what other settings would change; nothing is written.

    Parameters
    ----------
    settings : mapping of str to object, or sequence of str
        Values by key, or ``key=value``; keys of ``routing`` and ``planning``.
    output_dir : Path or str
        The stored run: its candidates are decided again, its plan is what they are compared with.
    candidates : Path or str, optional
        Another table to decide.
    families : sequence of str, optional
        Without it those of the stored plan, or the standard families of the settings where these are other ones than
        the stored plan was decided with.
    budget : Budget, optional
        Within which to plan; that of the stored plan without it.
    config : Config, mapping or path, optional
        What ``settings`` change; see `load_config` for what is read without it.
    limit : int or None
        How many jobs and routes to list.

    Raises
    ------
    TrainrouteError
        CandidatesError where no table is found, ConfigError and UsageError for settings that cannot be.
    """
    output, base_config = Path(output_dir), as_config(config)
    changes = _settings(settings)
    table = _table(output, candidates)
    base = _base(table, base_config, output, families)
    tried = as_config(with_settings(base_config, changes)) if changes else base_config
    name = ", ".join(f"{key}={value}" for key, value in changes.items()) or "the settings in force"
    if budget is None or not budget.limits:
        budget = _stored_budget(base, output)
    asked = families or _families(base, tried)
    found = _planned(name, table, tried, output, asked, like=base.training, budget=budget)
    return compare(base, found, limit=limit)


def sweep(
    key: str,
    values: Sequence[Any] | str,
    settings: Mapping[str, Any] | Sequence[str] = (),
    *,
    output_dir: Path | str = DEFAULT_OUTPUT,
    candidates: Path | str | None = None,
    config: ConfigLike = None,
) -> Sweep:
    """Decide again for each value of a key and count the routes; nothing is written.

    Parameters
    ----------
    key : str
    values : sequence, or str
        The values; as text ``0.51:0.57:0.01`` (first, last, step) or ``0.51,0.53,0.57``.
    settings, output_dir, candidates, config
        As of `what_if`.

    Raises
    ------
    TrainrouteError
        As `what_if`; ConfigError where no value can be set. One that cannot among others that can says so in its step.
    """
    check_decides(key)
    output = Path(output_dir)
    base_config = with_settings(as_config(config), _settings(settings))
    require_unexpired(base_config.routing.pins, utc_now())
    table = _table(output, candidates)
    previous = _previous(output)
    base = previous or _decided(table, base_config, None)
    kept = base.pairs.select("target", "symbol", before="route")
    steps: list[SweepStep] = []
    refusals: list[ConfigError] = []
    for value in values_of(values) if isinstance(values, str) else values:
        try:
            tried = with_settings(base_config, {key: value})
        except ConfigError as error:
            refusals.append(error)
            steps.append(SweepStep(value=value, routes={}, changed=0, refused=str(error)))
            continue
        found = routes_of(table, tried, previous).join(kept, on=["target", "symbol"], how="left")
        steps.append(
            SweepStep(
                value=value,
                routes=_route_counts(found),
                changed=found.filter(pl.col("route").ne_missing(pl.col("before"))).height,
            )
        )
    if len(refusals) == len(steps):
        raise refusals[0] if refusals else UsageError(f"{key}: no value to try")
    return Sweep(key=key, base=_route_counts(base.pairs), steps=tuple(steps))


def values_of(text: str) -> list[Any]:
    """Read the values of a sweep.

    Examples
    --------
    >>> values_of("0.51:0.53:0.01")
    [0.51, 0.52, 0.53]
    >>> values_of("PREFER_CS,ROUTE_BOTH")
    ['PREFER_CS', 'ROUTE_BOTH']
    >>> values_of("[STABLE],[STABLE,DRIFTING]")
    [['STABLE'], ['STABLE', 'DRIFTING']]

    Raises
    ------
    UsageError
        If it is neither a range nor a list, or has too many values.
    """
    if ":" not in text or "," in text:
        try:
            return list(load_yaml(f"[{text}]"))
        except (yaml.YAMLError, RecursionError) as error:
            raise UsageError(f"--sweep {text}: the values are not YAML ({one_line(error)})") from None
    try:
        parts = [Decimal(part) for part in text.split(":")]
    except InvalidOperation:
        parts = []
    ordered = len(parts) == _RANGE_PARTS and all(part.is_finite() for part in parts)
    if not ordered or parts[2] <= 0 or parts[1] < parts[0]:
        raise UsageError(f"--sweep {text}: expected first:last:step, e.g. 0.51:0.57:0.01, or values between commas")
    first, last, step = parts
    count = int((last - first) / step) + 1
    if count > _MOST_VALUES:
        raise UsageError(f"--sweep {text}: too many values, at most {_MOST_VALUES}; make the step larger")
    whole = all(part == part.to_integral_value() for part in parts)
    return [int(value) if whole else float(value) for value in (first + step * n for n in range(count))]


def _settings(settings: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    changes = dict(settings) if isinstance(settings, Mapping) else dict(parse_setting(text) for text in settings)
    for key in changes:
        check_decides(key)
    return changes


def _table(output: Path, candidates: Path | str | None) -> Candidates:
    found = find_candidates(output / METRICS) if candidates is None else Path(candidates)
    if found is None:
        raise CandidatesError(f"{output / METRICS}: no routing candidates; give a table, or --output-dir of a run")
    return read_candidates(found)


def _previous(output: Path) -> RoutingPlan | None:
    """Return the routing plan that lies in an output directory: hysteresis holds on to it."""
    there = routing_plan_file(output / ROUTING_PLAN)
    return read_routing_plan(there, explained=False) if there.exists() else None


def _base(table: Candidates, config: Config, output: Path, families: Sequence[str] | None) -> Planned:
    if find_training_plan_dir(output, None) is not None or (output / ROUTING_PLAN).is_dir():
        return read_planned(output)
    asked = families or families_asked_for(None, None, config).names
    return _planned("the settings in force", table, config, output, asked, like=None, budget=None)


def _families(stored: Planned, config: Config) -> Sequence[str]:
    """Return the families of the stored plan, unless the settings now have other standard families than it had."""
    decided = None if stored.routing is None else stored.routing.planning
    if stored.training is None or decided is None or decided.standard_families != config.planning.standard_families:
        return families_asked_for(None, None, config).names
    return stored.training.metadata.model_families


def _stored_budget(stored: Planned, output: Path) -> Budget | None:
    """Return the limits that the stored plan was made within, and its source of costs."""
    report = None if stored.training is None else stored.training.summary.budget
    if report is None:
        return None
    seconds = mean_seconds(output) if report.cost_source == "ledger" else None
    return Budget(max_jobs=report.max_jobs, max_cost_seconds=report.max_cost_seconds, seconds=seconds)


def _decided(table: Candidates, config: Config, previous: RoutingPlan | None) -> RoutingPlan:
    return build_routing_plan(table, config, generated_at=utc_now(), git_commit=None, previous=previous)


def _planned(
    name: str,
    table: Candidates,
    config: Config,
    output: Path,
    families: Sequence[str],
    *,
    like: TrainingPlan | None,
    budget: Budget | None,
) -> Planned:
    """Decide and plan, on the data of the stored plan."""
    routing = _decided(table, config, _previous(output))
    plan = build_training_plan(
        routing,
        config,
        families=families,
        feature_sets=read_feature_sets(output),
        data_fingerprint=None if like is None else like.metadata.data_fingerprint,
        run_id="",
        generated_at=utc_now(),
        git_commit=None,
        routing_plan_path="",
        budget=budget,
    )
    return Planned(name=name, training=plan, routing=routing)


def _route_counts(pairs: pl.DataFrame) -> dict[str, int]:
    return {route.value: count for route, count in routes_counted(pairs).items()}
