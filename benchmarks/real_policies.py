"""What going by the routes is worth on real panels: the final holdout's concordance under every policy, paired.

    python benchmarks/real_policies.py [sp500 | us_1min | beijing_air ...]

1. Make the panel as `real_panels.py` does; measure and route it with the default settings and ``TOP_N`` targets.
   Targets whose blocks of 3 × horizon number fewer than 15 in the holdout are left out: no interval would remain.
2. Fit the product's LightGBM on the product's own training rows: one pooled model per target, one local model per
   (target, symbol), and predict the holdout of every symbol.
3. A policy gives each pair the weight of its local model in the blend: 0 is CS, 1 is local. Predictions are put on one
   scale by their standard deviation on the pair's holdout rows (no label is read) before they are blended. A pair that
   a policy does not train, or only experimentally, has a constant prediction and so a concordance of exactly one half.
4. Mean over pairs; errors from blocks of whole dates for all symbols and targets together. They are those of the
   holdout's dates for these models: how models vary with their training years is not in them.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray
from real_panels import SHARED, make
from scipy.special import stdtrit

from trainroute.config import Config, load_config
from trainroute.errors import TrainingError
from trainroute.evaluate import Evidence, evaluate_panel
from trainroute.families import FAMILIES, FitContext
from trainroute.metrics import (
    MIN_BLOCKS,
    assign_time_blocks,
    block_length,
    block_totals,
    degrees_of_freedom,
    standard_errors,
    task_concordance,
)
from trainroute.panel import Panel, Target, load_panel, walk_forward
from trainroute.plan.jobs import UNDECIDED, requested_jobs
from trainroute.records.plan import JobMetadata, TrainingJob
from trainroute.records.routing import RoutingPlan, teaches_pool
from trainroute.records.vocabulary import RouteState, Task, TrainingType
from trainroute.route import build_routing_plan
from trainroute.train.rows import Wanted, job_rows, symbol_of, take_features, take_labels, take_training_rows
from trainroute.train.store import PanelStore, write_store

Floats = NDArray[np.float64]
TOP_N = 5
PROCESSES = 2
UNTRAINED = float("nan")
FAMILY = FAMILIES.get("LightGBM")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One model to fit, and what it reads."""

    store: Path
    job: TrainingJob
    features: tuple[str, ...]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Weight of the local model in each pair's blend (pairs as in the plan; NaN = not trained), and models trained."""

    name: str
    weight: Floats
    jobs: int


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """The holdout rows of one target, sorted by symbol, with both models' predictions on one scale.

    ``pair`` numbers the rows' pairs as the plan does; ``pooled`` and ``local`` have one column per score.
    """

    target: Target
    pair: NDArray[np.int64]
    time: NDArray[np.int32]
    labels: NDArray[np.float32]
    pooled: Floats
    local: Floats


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over pairs with its 95 % interval."""

    value: float
    low: float
    high: float
    n_blocks: int

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def predict(fit: Fit) -> NDArray[np.float64] | None:
    """Fit the family of one job and predict its holdout rows; None where its rows cannot teach."""
    store = PanelStore(fit.store)
    target = store.index.targets[store.target_number[fit.job.target]]
    rows = job_rows(store, fit.job, min_rows=FAMILY.min_rows)
    context = FitContext(
        task=target.task,
        n_classes=0 if target.task is Task.REGRESSION else len(target.classes),
        seed=fit.seed,
        threads=1,
        hyperparameters=FAMILY.resolve({}),
    )
    wanted, last = Wanted(features=fit.features, target=target), store.split.n_blocks
    train, later = (
        take_training_rows(store, part, wanted, first_block=0, ends_before=last)
        for part in (rows.train, rows.validation)
    )
    try:
        model = FAMILY().fit(train, later, context=context)
    except TrainingError:
        return None
    return model.predict(take_features(store, rows.holdout, fit.features)).reshape(len(rows.holdout), -1)


def job(target: str, symbol: str | None, served: Sequence[str] = (), teachers: Sequence[str] = ()) -> TrainingJob:
    """Return a job of the training stage, for its choice of rows."""
    return TrainingJob(
        job_id=f"{target} {symbol}",
        target=target,
        symbol=symbol,
        route=RouteState.ROUTE_BOTH,
        training_type=TrainingType.CROSS_SECTIONAL if symbol is None else TrainingType.SYMBOL_SPECIFIC,
        model_families=(FAMILY.name,),
        priority=0,
        reason="",
        metadata=JobMetadata(symbols=tuple(served), training_symbols=tuple(teachers)),
    )


def scaled(prediction: Floats, symbol: NDArray[np.int32]) -> Floats:
    """Put each symbol's predictions on mean 0 and deviation 1, constants on 0; class probabilities stay."""
    if prediction.shape[1] > 1:
        return prediction
    values = prediction[:, 0]
    _, group, count = np.unique(symbol, return_inverse=True, return_counts=True)
    values = values - (np.bincount(group, values) / count)[group]
    spread = np.sqrt(np.bincount(group, values**2) / count)[group]
    return np.divide(values, spread, out=np.zeros_like(values), where=spread > 0)[:, None]


def holdouts(panel: Panel, config: Config, plan: RoutingPlan, evidence: Evidence, folder: Path) -> list[Holdout]:
    """Fit all models of all pairs and predict the holdout."""
    store = write_store(panel, walk_forward(panel, config), folder)
    teachers = plan.pairs.filter(teaches_pool(config.routing, config.planning))
    fits = {}
    for target in plan.targets:
        set_id = plan.cross_sectional(target).feature_set_id
        features = panel.features if set_id is None else evidence.feature_sets[set_id].features
        pool = teachers.filter(pl.col("target") == target)["symbol"].to_list()
        pooled = job(target, None, panel.symbols, pool)
        for one in (pooled, *(job(target, symbol) for symbol in panel.symbols)):
            fits[one.target, one.symbol] = Fit(store=folder, job=one, features=features, seed=config.training.seed)
    longest_first = sorted(fits, key=lambda key: key[1] is not None)
    with get_context("spawn").Pool(PROCESSES) as pool_of_processes:
        found = pool_of_processes.map(predict, [fits[key] for key in longest_first], chunksize=1)
    predictions = dict(zip(longest_first, found, strict=True))
    return [_holdout(store, target, fits[target, None].job, predictions) for target in plan.targets]


def _holdout(
    store: PanelStore, name: str, pooled: TrainingJob, predictions: Mapping[tuple[str, str | None], Floats | None]
) -> Holdout:
    target = store.index.targets[store.target_number[name]]
    rows = job_rows(store, pooled, min_rows=FAMILY.min_rows).holdout
    symbol = symbol_of(store, rows)
    width = max(1, len(target.classes) if target.task is Task.MULTICLASS else 1)
    local = np.zeros((len(rows), width))
    for number in np.unique(symbol):
        own = predictions[name, store.index.symbols[number]]
        if own is not None:
            local[symbol == number] = own
    everyone = predictions[name, None]
    return Holdout(
        target=target,
        pair=symbol.astype(np.int64),
        time=np.asarray(store.time_index[rows]),
        labels=take_labels(store, rows, target),
        pooled=scaled(np.zeros((len(rows), width)) if everyone is None else everyone, symbol),
        local=scaled(local, symbol),
    )


def policies(plan: RoutingPlan, config: Config) -> list[Policy]:
    """Return the routed policy first, then those to compare it with."""
    pairs = plan.pairs.unnest("scores")
    route, own, on_symbol = pl.col("route"), pl.col("score").fill_null(0.0), pl.col("cs_score").fill_null(0.0)
    routed = (
        pl.when(route == RouteState.ROUTE_CROSS_SECTIONAL)
        .then(0.0)
        .when(route == RouteState.ROUTE_SYMBOL_SPECIFIC)
        .then(1.0)
        .when(route == RouteState.ROUTE_BOTH)
        .then(pl.col("p_local_better").fill_null(UNDECIDED))
        .otherwise(UNTRAINED)
    )
    better = pl.when(own > on_symbol).then(1.0).otherwise(0.0)
    enough = pl.when(own > on_symbol).then(own >= config.routing.symbol.min_score)
    enough = enough.otherwise(on_symbol >= config.routing.cross_sectional.min_score)
    weights = {
        "routed": routed,
        "always-CS": pl.lit(0.0),
        "always-local": pl.lit(1.0),
        "always-both": pl.lit(UNDECIDED),
        "better of two": better,
        "better of two, thresholds": pl.when(enough).then(better).otherwise(UNTRAINED),
    }
    values = pairs.select("target", **weights)
    planned = requested_jobs(plan, config.planning).height
    return [
        Policy(name=name, weight=values[name].to_numpy(), jobs=planned if name == "routed" else _models(values, name))
        for name in weights
    ]


def _models(values: pl.DataFrame, name: str) -> int:
    """Return how many models a policy trains: local ones, and a pooled one per target that it serves."""
    weight = pl.col(name)
    trained = values.filter(weight.is_not_nan())
    return trained.filter(weight > 0).height + trained.filter(weight < 1)["target"].n_unique()


def scores(found: Sequence[Holdout], weight: Floats, n_symbols: int) -> tuple[Floats, Floats]:
    """Return the concordance of each pair and, per pair and holdout date, the influence on it.

    Returns
    -------
    score : ndarray of shape (n_pairs,)
        NaN where a pair's holdout labels are all equal.
    influence : ndarray of shape (n_pairs, n_times)
    """
    first = min(int(part.time.min()) for part in found)
    n_times = max(int(part.time.max()) for part in found) - first + 1
    score, influence = [], []
    for number, part in enumerate(found):
        own = weight[number * n_symbols : (number + 1) * n_symbols][part.pair][:, None]
        blend = np.where(np.isnan(own), 0.0, (1 - own) * part.pooled + own * part.local)
        classes = np.arange(len(part.target.classes))
        result = task_concordance(blend, part.labels, part.pair, n_symbols, classes=classes)
        score.append(result.score)
        cell = part.pair * n_times + (part.time - first)
        influence.append(np.bincount(cell, result.influence, n_symbols * n_times).reshape(n_symbols, n_times))
    return np.concatenate(score), np.concatenate(influence)


def estimate(score: Floats, influence: Floats, horizon: int) -> Estimate:
    """Return the mean over pairs, with errors from blocks of whole dates over all of them; NaN pairs are left out."""
    known = np.isfinite(score)
    by_time = influence[known].sum(0) / max(int(known.sum()), 1)
    blocks = assign_time_blocks(len(by_time), block_length(by_time, horizon))
    totals = block_totals(by_time, blocks, int(blocks[-1]) + 1)
    reach = float((standard_errors(totals) * stdtrit(degrees_of_freedom(totals), 0.975))[0])
    value, n_blocks = float(score[known].mean()), int(np.count_nonzero(totals))
    if n_blocks == 0:  # the two policies do the same everywhere
        reach = 0.0
    elif n_blocks < MIN_BLOCKS:
        reach = float("nan")
    return Estimate(value=value, low=value - reach, high=value + reach, n_blocks=n_blocks)


def verdict(gap: Estimate) -> str:
    """Say what a difference says."""
    if np.isnan(gap.low):
        return f"{gap.n_blocks} blocks, too few to say"
    if gap.low == gap.high == 0:
        return "the same models"
    if gap.low > 0:
        return "routed is better"
    return "routed is worse" if gap.high < 0 else "no difference beyond error"


def measured(name: str, folder: Path) -> tuple[Panel, Config, RoutingPlan, Evidence]:
    """Make a panel, measure and route it; only the targets whose holdout gives an interval."""
    _, options = make(name, folder)
    config = load_config(Path(options[1])) if options else Config()
    panel = load_panel(folder / "data", config.data)
    n_times = int(np.count_nonzero(panel.timestamps >= walk_forward(panel, config).boundaries[-1]))
    short = [target.name for target in panel.targets if 3 * target.horizon_bars * MIN_BLOCKS <= n_times]
    panel = load_panel(folder / "data", config.data, targets=short)
    evidence = evaluate_panel(
        panel,
        config,
        data_dir=folder / "data",
        output_dir=folder,
        top_n_targets=TOP_N,
        top_m_features=100,
        timestamp="",
        git_commit=None,
    )
    plan = build_routing_plan(evidence.candidates, config, generated_at="", git_commit=None)
    return panel, config, plan, evidence


def measure(name: str) -> None:
    """Print the tables of one panel."""
    start = time.perf_counter()
    with TemporaryDirectory() as place:
        folder = Path(place)
        panel, config, plan, evidence = measured(name, folder)
        (folder / "store").mkdir()
        found = holdouts(panel, config, plan, evidence, folder / "store")
    horizon = max(part.target.horizon_bars for part in found)
    compared = policies(plan, config)
    results = {policy.name: scores(found, policy.weight, len(panel.symbols)) for policy in compared}
    routed, influence = results["routed"]
    print(f"\n{name}: {len(plan.targets)} targets ({', '.join(plan.targets)}) × {len(panel.symbols)} symbols\n")
    print("| policy | models | concordance (95 %) | routed − policy (95 %) | |")
    print("|---|---|---|---|---|")
    for policy in compared:
        score, moved = results[policy.name]
        level = estimate(score, moved, horizon)
        gap = estimate(routed - score, influence - moved, horizon)
        compares = "| – | |" if policy.name == "routed" else f"| {gap:+.4f} | {verdict(gap)} |"
        print(f"| {policy.name} | {policy.jobs} | {level:.4f} {compares}")
    by_route(plan, results["always-local"], results["always-CS"], horizon)
    print(f"\n{int(np.isfinite(routed).sum())} pairs, {time.perf_counter() - start:.0f} s", flush=True)


def by_route(plan: RoutingPlan, local: tuple[Floats, Floats], pooled: tuple[Floats, Floats], horizon: int) -> None:
    """Print by how much the local models beat the pooled one where the plan chose each route."""
    print("\n| route | pairs | local − CS (95 %) | blocks |")
    print("|---|---|---|---|")
    for route in RouteState:
        chosen = (plan.pairs["route"] == route.value).to_numpy()
        if np.isfinite((local[0] - pooled[0])[chosen]).any():
            gap = estimate((local[0] - pooled[0])[chosen], (local[1] - pooled[1])[chosen], horizon)
            print(f"| {route.value} | {int(chosen.sum())} | {gap:+.4f} | {gap.n_blocks} |")


def main() -> None:
    """Measure the panels that were asked for."""
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: nothing to measure")
    for name in sys.argv[1:] or ("sp500", "us_1min", "beijing_air"):
        measure(name)


if __name__ == "__main__":
    main()
