"""A user's script: it trains a plan at its top level, without a main guard, and prints what became of each pair.

Arguments: output directory; families of the one job that all of them share; settings as JSON for ``training``, and,
if given, JSON of ``resume`` and of the ``jobs`` to select.
"""

import json
import logging
import signal
import sys
from pathlib import Path

import msgspec
import numpy as np

from trainroute.config import Config
from trainroute.errors import TrainrouteError
from trainroute.panel import Panel, SymbolRows, Target
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.selectors import Selector
from trainroute.records.vocabulary import RouteState, Task, TrainingType
from trainroute.train import train_plan

SYMBOLS = ("A", "B", "C")
N_TIMES = 600
output_dir, families, settings = Path(sys.argv[1]), tuple(sys.argv[2].split(",")), json.loads(sys.argv[3])
asked = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}


def rows(symbol: str) -> SymbolRows:
    """Make rows whose label is the sign of the first feature."""
    features = np.random.default_rng(ord(symbol)).normal(size=(N_TIMES, 2)).astype(np.float32)
    time = np.arange(N_TIMES, dtype=np.int32)
    label_end = (time.astype(np.int64) + 1)[:, None] * 60_000_000
    return SymbolRows(
        symbol=symbol,
        time_index=time,
        features=features,
        targets=(features[:, :1] > 0).astype(np.float32),
        label_end=label_end,
    )


def job(symbol: str, priority: int, names: tuple[str, ...]) -> TrainingJob:
    """Make a local job."""
    return TrainingJob(
        job_id=f"sym_y_up_{symbol}",
        target="y_up",
        symbol=symbol,
        route=RouteState.ROUTE_SYMBOL_SPECIFIC,
        training_type=TrainingType.SYMBOL_SPECIFIC,
        model_families=names,
        priority=priority,
        reason="test",
        metadata=JobMetadata(),
    )


target = Target(
    name="y_up", task=Task.BINARY, classes=(0.0, 1.0), horizon_us=60_000_000, horizon_bars=1, horizon_index=0
)
panel = Panel(
    timestamps=np.arange(N_TIMES, dtype=np.int64) * 60_000_000,
    bar_interval_us=60_000_000,
    rows=tuple(rows(symbol) for symbol in SYMBOLS),
    features=("f0", "f1"),
    targets=(target,),
    fingerprint="f",
)
jobs = (job("A", 30, families), job("C", 20, ("Fine",)), job("B", 10, ("Fine",)))
plan = TrainingPlan(
    metadata=TrainingPlanMetadata(
        schema_version=TRAINING_PLAN_SCHEMA_VERSION,
        generated_at="",
        run_id="test",
        git_commit=None,
        config_hash="",
        routing_plan_path="",
        routing_plan_id="",
        metrics_snapshot="",
        data_fingerprint=None,
        symbols=SYMBOLS,
        targets=("y_up",),
        code_version="",
        total_jobs=len(jobs),
        model_families=families,
        plan_id="plan",
    ),
    feature_sets={},
    jobs=jobs,
    summary=TrainingPlanSummary(
        by_route={}, by_type={}, by_priority={}, total_cs_jobs=0, total_symbol_jobs=len(jobs), total_blocked=0
    ),
)
if asked.get("terminate_in_order"):
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # as the program `trainroute` does
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
try:
    outcome = train_plan(
        plan,
        panel,
        Config.model_validate({"training": settings}),
        output_dir=output_dir,
        resume=asked.get("resume", False),
        selector=Selector(jobs=tuple(asked["jobs"])) if "jobs" in asked else Selector(),
    )
except TrainrouteError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(error.exit_code)
sys.stdout.write(msgspec.json.encode(outcome.results).decode())
sys.exit(outcome.exit_code)
