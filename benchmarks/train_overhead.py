"""What training costs beside the fits: many small jobs through workers, dispatch and ledger.

Run: ``python benchmarks/train_overhead.py [--jobs 300] [--rows 2500] [--features 30] [--rounds 20] [--workers 1]``.

1. Each job (LightGBM, one symbol) is run alone in this process: rows, fit, score, write. Their sum is the work.
2. The same jobs run as a plan with ``train_plan``; the ledger's seconds are the work as the workers measured it.
3. Dispatch and ledger are what the workers' time has beyond that work, from the end of each one's first job to the end
   of the last job of all: neither the start (panel, workers, libraries) nor the report. The last line has these too.
4. On a machine that is busy with other things wall times say little; the CPU seconds (user and system, of the training
   process and of its workers) beside those of the jobs alone still tell what the plan adds.
"""

import argparse
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from trainroute.config import Config
from trainroute.config.schema import FamilyConfig, TrainingConfig
from trainroute.panel import Panel, SymbolRows, Target, walk_forward
from trainroute.records.names import job_id
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.vocabulary import RouteState, Task, TrainingType
from trainroute.train import train_plan
from trainroute.train.job import JobTask, run_job
from trainroute.train.memory import own_bytes
from trainroute.train.settings import family_settings
from trainroute.train.store import write_store

_MINUTE = 60_000_000
_HORIZON = 10


def make_panel(n_symbols: int, n_times: int, n_features: int) -> Panel:
    """Make symbols whose binary target follows their first feature."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(n_symbols):
        features = rng.normal(size=(n_times, n_features)).astype(np.float32)
        label = (features[:, :1] + rng.normal(size=(n_times, 1)) > 0).astype(np.float32)
        label[-_HORIZON:] = np.nan
        time_index = np.arange(n_times, dtype=np.int32)
        rows.append(
            SymbolRows(
                symbol=f"S{number:05d}",
                time_index=time_index,
                features=features,
                targets=label,
                label_end=(time_index.astype(np.int64) + _HORIZON)[:, None] * _MINUTE,
            )
        )
    target = Target(
        name="y_up",
        task=Task.BINARY,
        classes=(0.0, 1.0),
        horizon_us=_HORIZON * _MINUTE,
        horizon_bars=_HORIZON,
        horizon_index=0,
    )
    return Panel(
        timestamps=np.arange(n_times, dtype=np.int64) * _MINUTE,
        bar_interval_us=_MINUTE,
        rows=tuple(rows),
        features=tuple(f"f{number}" for number in range(n_features)),
        targets=(target,),
        fingerprint="benchmark",
    )


def make_plan(panel: Panel) -> TrainingPlan:
    """Plan one LightGBM model per symbol."""
    jobs = tuple(
        TrainingJob(
            job_id=job_id("y_up", symbol),
            target="y_up",
            symbol=symbol,
            route=RouteState.ROUTE_SYMBOL_SPECIFIC,
            training_type=TrainingType.SYMBOL_SPECIFIC,
            model_families=("LightGBM",),
            priority=1,
            reason="benchmark",
            metadata=JobMetadata(),
        )
        for symbol in panel.symbols
    )
    metadata = TrainingPlanMetadata(
        schema_version=TRAINING_PLAN_SCHEMA_VERSION,
        generated_at="",
        run_id="benchmark",
        git_commit=None,
        config_hash="",
        routing_plan_path="",
        routing_plan_id="",
        metrics_snapshot="",
        data_fingerprint=None,
        symbols=panel.symbols,
        targets=("y_up",),
        code_version="",
        total_jobs=len(jobs),
        model_families=("LightGBM",),
        plan_id="benchmark",
    )
    summary = TrainingPlanSummary(
        by_route={}, by_type={}, by_priority={}, total_cs_jobs=0, total_symbol_jobs=len(jobs), total_blocked=0
    )
    return TrainingPlan(metadata=metadata, feature_sets={}, jobs=jobs, summary=summary)


def run_alone(plan: TrainingPlan, panel: Panel, config: Config, folder: Path) -> tuple[float, float]:
    """Run every job in this process; return the wall time and the CPU time, in seconds."""
    settings = family_settings(["LightGBM"], config.training)["LightGBM"]
    (folder / "store").mkdir()
    store = write_store(panel, walk_forward(panel, config), folder / "store")
    tasks = [
        JobTask(
            job=job,
            folder=job.job_id,
            family="LightGBM",
            features=panel.features,
            siblings=(),
            hyperparameters=settings.hyperparameters,
            seed=0,
            threads=1,
            plan_id="benchmark",
            inputs={},
        )
        for job in plan.jobs
    ]
    run_job(tasks[0], store, folder / "models")  # loads the libraries
    started, before = time.perf_counter(), Spent.now()
    for task in tasks:
        run_job(task, store, folder / "models")
    return time.perf_counter() - started, Spent.now().since(before).own


class Ends:
    """When each job ended, as the progress of a training run tells it."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @contextmanager
    def step(self, label: str, total: int) -> Iterator[Self]:  # noqa: ARG002 - the protocol's signature
        """Listen to a step."""
        yield self

    def advance(self, n: int = 1) -> None:
        """Note that jobs have ended."""
        self.times += [time.perf_counter()] * n


def trained(plan: TrainingPlan, panel: Panel, config: Config) -> tuple[float, float, float]:
    """Train a plan; return its wall time, and the workers' time between jobs, and in all beside the jobs (seconds).

    The time between jobs begins when each worker has ended its first one, which the start delays, and ends with the
    last job. Where one worker ends two before another its first, the rest of that one's start is counted in.
    """
    ends = Ends()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        outcome = train_plan(plan, panel, config, output_dir=Path(folder), progress=ends)
        wall = time.perf_counter() - started
    if outcome.failed:
        raise SystemExit(f"{len(outcome.failed)} jobs failed: {outcome.failed[0].reason}")
    workers = min(config.training.workers, len(plan.jobs))
    firsts, last = ends.times[:workers], ends.times[-1]
    seconds = [result.seconds or 0.0 for result in outcome.results]
    return wall, sum(last - first for first in firsts) - sum(seconds[workers:]), wall * workers - sum(seconds)


@dataclass(frozen=True)
class Spent:
    """CPU seconds, user and system: of this process, and of the processes that it has started and that have ended."""

    own: float
    children: float

    @classmethod
    def now(cls) -> Self:
        """Return what was spent so far."""
        times = os.times()
        return cls(times.user + times.system, times.children_user + times.children_system)

    def since(self, before: "Spent") -> "Spent":
        """Return what was spent since ``before``."""
        return Spent(self.own - before.own, self.children - before.children)


@contextmanager
def watched() -> Iterator[list[int]]:
    """Note the largest own memory of the workers, some times a second; without pages of the mapped panel."""
    samples: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        while not ended.wait(0.2):
            found = [own_bytes(int(process)) or 0 for process in children.read_text().split()]
            samples.extend([max(found)] if any(found) else [])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def own_megabytes(samples: Sequence[int]) -> float:
    """Return the median of some samples."""
    return float(np.median(samples)) / (1 << 20) if samples else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("trainroute").setLevel(logging.ERROR)
    panel = make_panel(given.jobs, given.rows, given.features)
    plan = make_plan(panel)
    rounds = FamilyConfig(hyperparameters={"rounds": given.rounds, "rounds_without_validation": given.rounds})
    config = Config(training=TrainingConfig(workers=given.workers, families={"LightGBM": rounds}))
    with tempfile.TemporaryDirectory() as folder:
        alone, alone_cpu = run_alone(plan, panel, config, Path(folder))
    before = own_bytes(os.getpid()) or 0
    spent = Spent.now()
    with watched() as samples:
        wall, overhead, beside = trained(plan, panel, config)
    spent = Spent.now().since(spent)
    grown = (own_bytes(os.getpid()) or 0) - before
    both = spent.own + spent.children
    print(f"{given.jobs} jobs of {given.rows} rows × {given.features} features, {given.workers} worker(s)")
    print(f"jobs alone, one after the other   {alone:8.2f} s  {1e3 * alone / given.jobs:8.2f} ms a job")
    print(f"wall time of train_plan           {wall:8.2f} s  {wall / (alone / given.workers):8.2f} × (alone / workers)")
    fifth = len(samples) // 5
    print(f"own memory of a worker, start     {own_megabytes(samples[:fifth]):8.1f} MB (median of the first fifth)")
    print(f"own memory of a worker, end       {own_megabytes(samples[-fifth:]):8.1f} MB (median of the last fifth)")
    print(f"growth of the training process    {grown / (1 << 20):8.1f} MB")
    for process, seconds in (("training process", spent.own), ("workers", spent.children)):
        print(f"CPU of the {process:<23}{seconds:8.2f} s  {1e3 * seconds / given.jobs:8.2f} ms a job, start included")
    print(f"CPU of both                       {both:8.2f} s  {both / alone_cpu:8.2f} × that of the jobs alone")
    print(f"dispatch and ledger               {overhead:8.2f} s  {1e3 * overhead / given.jobs:8.2f} ms a job")
    print(f"the same, start and report        {beside:8.2f} s  {1e3 * beside / given.jobs:8.2f} ms a job")


if __name__ == "__main__":
    main()
