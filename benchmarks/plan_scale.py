"""Time and memory from a candidates file to every plan file, as targets × symbols grows.

Run ``python benchmarks/plan_scale.py`` (100 × 1,000), or give sizes: ``… plan_scale.py 20x500 1000x1000``.
Each size runs in a process of its own, so that its peak memory is its own. Three tables, which stand in
``docs/benchmarks.md``: the commands, each as a person starts it (none with ``--steps``); the steps behind
``trainroute route`` one by one; and what is bounded: routes alone, the master plan, all files. On a machine that does
other work too, the core seconds say more than the seconds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

QUEUED = "explain of a pair in the experimental queue"
STABILITY = ("STABLE", "DRIFTING", "DIVERGED", "UNKNOWN")
COMMANDS = ("route", "show", "validate", "explain", QUEUED, "diff", "sweep")
STEPS = ("read", "states and routes", "route", "write routing plan", "plan", "write training plan")
MASTER = "plan and write the master"
SWEEP = "routing.symbol.min_score=0.52:0.57:0.01"
CHANGED = 10  # of so many pairs of the second plan, one has another score


def planted_candidates(n_targets: int, n_symbols: int, seed: int = 0) -> pl.DataFrame:
    """Return a table with every route in it: some targets pooled, some local, some weak, some leaking."""
    rng = np.random.default_rng(seed)
    targets = [f"y_target_{i:04d}_5d" for i in range(n_targets)]
    symbols = [f"SYM{i:05d}" for i in range(n_symbols)]
    strength = rng.choice([0.505, 0.515, 0.54, 0.6], n_targets)
    n = n_targets * n_symbols
    pooled = np.repeat(strength, n_symbols)
    local = np.clip(pooled + rng.normal(0.0, 0.03, n), 0.0, 1.0)
    p_skill = np.clip(1.0 - np.exp(-((local - 0.48) * 60.0)), 0.0, 1.0)
    frame = pl.DataFrame(
        {
            "target": np.repeat(targets, n_symbols),
            "symbol": np.tile(symbols, n_targets),
            **_side(rng, local, p_skill, rng.integers(300, 6000, n), rng.integers(20, 400, n)),
            "cs_score": np.clip(pooled + rng.normal(0.0, 0.01, n), 0.0, 1.0),
            "p_cs_skill": rng.beta(8, 2, n),
            "p_local_better": rng.beta(2, 2, n),
            "delta_local": local - pooled,
        }
    ).with_columns(cs_score_shrunk=pl.col("cs_score"), delta_local_se=pl.lit(0.01))
    own = pl.DataFrame(
        {
            "target": targets,
            "symbol": [None] * n_targets,
            **_side(
                rng,
                strength,
                np.where(strength > 0.51, 0.999, 0.6),
                np.full(n_targets, 3000 * n_symbols),
                np.full(n_targets, 600),
            ),
        },
        schema_overrides={"symbol": pl.String},
    )
    return pl.concat([frame, own], how="diagonal").with_columns(
        task_type=pl.lit("binary"),
        metric_name=pl.lit("concordance"),
        horizon_minutes=pl.lit(7200.0),
        n_targets_considered=pl.lit(n_targets),
        attempted_model_families=pl.lit(["Ridge"], pl.List(pl.String)),
        failed_model_families=pl.lit([], pl.List(pl.String)),
        timestamp=pl.lit("2024-01-01T00:00:00+00:00"),
        git_commit=pl.lit(None, pl.String),
    )


def _side(
    rng: np.random.Generator, score: np.ndarray, p_skill: np.ndarray, rows: np.ndarray, windows: np.ndarray
) -> dict[str, object]:
    n = len(score)
    return {
        "score": score,
        "score_ci_low": score - 0.02,
        "score_ci_high": np.minimum(score + 0.02, 1.0),
        "score_shrunk": 0.5 + 0.9 * (score - 0.5),
        "p_skill": p_skill,
        "stability": rng.choice(STABILITY, n, p=[0.6, 0.2, 0.1, 0.1]),
        "mean_overlap": rng.uniform(0.4, 1.0, n),
        "std_overlap": rng.uniform(0.0, 0.2, n),
        "mean_tau": rng.uniform(0.4, 1.0, n),
        "std_tau": rng.uniform(0.0, 0.2, n),
        "n_snapshots": np.full(n, 3),
        "sample_size": rows,
        "n_eff": windows.astype(float),
        "n_blocks": np.full(n, 40),
        "minority_events": np.minimum(windows, rows),
        "leakage_status": rng.choice(["SAFE", "SUSPECT", "BLOCKED", "UNKNOWN"], n, p=[0.94, 0.02, 0.01, 0.03]),
        "feature_set_id": ["fs_1"] * n,
    }


def changed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table of a next week: some pairs have a higher score."""
    higher = (pl.col("score_shrunk") + 0.02).clip(0.0, 1.0)
    some = (pl.int_range(pl.len()) % CHANGED == 0) & pl.col("symbol").is_not_null()
    return frame.with_columns(score_shrunk=pl.when(some).then(higher).otherwise("score_shrunk"))


class Took(NamedTuple):
    """Seconds by the clock, and of the cores."""

    seconds: float
    core: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.core:.2f} core s)"


def measure(folder: Path) -> dict[str, Any]:
    """Run every step once in this process and return the time by step, peak memory and sizes."""
    from trainroute.config import load_config  # noqa: PLC0415 - the child measures its own imports
    from trainroute.plan import build_training_plan, load_training_plan, validate_plan, write_training_plan  # noqa: PLC0415
    from trainroute.records.artifacts import write_parts  # noqa: PLC0415
    from trainroute.records.candidates_io import read_candidates  # noqa: PLC0415
    from trainroute.records.plan import FeatureSet  # noqa: PLC0415
    from trainroute.records.plan_io import MASTER_NAME, plan_parts  # noqa: PLC0415
    from trainroute.records.routing_io import read_routing_plan, write_routing_plan  # noqa: PLC0415
    from trainroute.route import build_routing_plan  # noqa: PLC0415
    from trainroute.route.decide import routed  # noqa: PLC0415
    from trainroute.route.facts import facts_of  # noqa: PLC0415
    from trainroute.route.hysteresis import basis_of, remembered  # noqa: PLC0415

    config, took, alone = load_config(), {}, {}
    peak: dict[str, float] = {}
    with _timed(took, "read"):
        candidates = read_candidates(folder / "candidates.parquet")
    with _timed(alone, "states and routes"):
        nothing = basis_of(None, config_hash="", metrics_snapshot="")
        routed(remembered(facts_of(candidates, config.routing), nothing), config.routing)
    with _timed(took, "route"):
        routing = build_routing_plan(candidates, config, generated_at="2024", git_commit=None)
    with _timed(took, "write routing plan"):
        path = write_routing_plan(routing, folder / "METRICS" / "routing_plan")
    with _timed(took, "plan"):
        plan = build_training_plan(
            routing,
            config,
            families=("LightGBM", "XGBoost", "Ensemble"),
            feature_sets={"fs_1": FeatureSet(features=tuple(f"f{i}" for i in range(40)))},
            data_fingerprint=None,
            run_id="bench",
            generated_at="2024",
            git_commit=None,
            routing_plan_path=str(path),
        )
    with _timed(alone, "write the master"), (folder / MASTER_NAME).open("wb") as file:
        write_parts(file, plan_parts(plan))
    peak["master"] = _peak()
    with _timed(took, "write training plan"):
        write_training_plan(plan, folder / "globals" / "training_plan")
    peak["all"] = _peak()
    loaded = load_training_plan(folder / "globals" / "training_plan")
    problems = validate_plan(loaded, routing=read_routing_plan(path))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    jobs = float(len(loaded.jobs))
    master = _sum([took["plan"], alone["write the master"]])
    return {
        **took,
        **alone,
        MASTER: master,
        "to the master": _sum([took["read"], took["route"], master]),
        "total": _sum(took.values()),
        "peak": peak,
        "size": size,
        "jobs": jobs,
        "problems": len(problems),
    }


def _sum(steps: Iterable[Took]) -> Took:
    return Took(*(sum(column) for column in zip(*steps, strict=True)))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@contextmanager
def _timed(took: dict[str, Took], step: str) -> Iterator[None]:
    start, core = time.perf_counter(), time.process_time()
    yield
    took[step] = Took(time.perf_counter() - start, time.process_time() - core)


def main() -> None:
    """Measure the sizes asked for, each in its own process, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["100x1000"], help="targets x symbols")
    parser.add_argument("--steps", action="store_true", help="the steps only, not the commands")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [tuple(int(part) for part in size.split("x")) for size in options.sizes]
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    commands = _Table(["targets × symbols", *COMMANDS])
    steps = _Table(["targets × symbols", "jobs", *STEPS, "on disk"])
    bounded = _Table(
        ["targets × symbols", "routes alone", MASTER, "candidates to the master", "peak", "to all files", "peak"]
    )
    for n_targets, n_symbols in sizes:
        size = f"{n_targets:,} × {n_symbols:,}"
        with tempfile.TemporaryDirectory() as name:
            frame = planted_candidates(n_targets, n_symbols)
            frame.write_parquet(Path(name) / "candidates.parquet")
            if not options.steps:
                commands.add(size, *_commands(Path(name), frame))
            command = [sys.executable, __file__, f"{n_targets}x{n_symbols}", "--child", name]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(out)
        steps.add(
            size, f"{found['jobs']:,.0f}", *(str(Took(*found[step])) for step in STEPS), f"{found['size']:,.0f} MB"
        )
        whole, to_master, routes, master = (
            str(Took(*found[name])) for name in ("total", "to the master", "states and routes", MASTER)
        )
        peaks = [f"{found['peak'][name]:,.0f} MB" for name in ("master", "all")]
        bounded.add(size, routes, master, to_master, peaks[0], whole, peaks[1])
        if found["problems"]:
            sys.exit(f"validate found {found['problems']} problems")
    tables = [steps, bounded] if options.steps else [commands, steps, bounded]
    print("\n\n".join(table.text for table in tables))


class _Table:
    def __init__(self, headings: list[str]) -> None:
        self.text = f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}"

    def add(self, *cells: str) -> None:
        self.text += f"\n| {' | '.join(cells)} |"


def _commands(folder: Path, frame: pl.DataFrame) -> list[str]:
    """Run each command as a person does; return seconds, core seconds and peak memory of each."""
    now, later = ["--output-dir", str(folder / "out")], str(folder / "later")
    changed(frame).write_parquet(folder / "changed.parquet")
    route = _command(["route", str(folder / "candidates.parquet"), *now])
    _command(["route", str(folder / "changed.parquet"), "--output-dir", later])
    target, symbol = frame.select("target", "symbol").row(0)
    arguments = {
        "explain": ["explain", "--target", target, "--symbol", symbol, *now],
        QUEUED: ["explain", "--target", _queued(symbol, now), "--symbol", symbol, *now],
        "diff": ["diff", str(folder / "out"), later],
        "sweep": ["route", "--sweep", SWEEP, *now],
    }
    return [route, *(_command(arguments.get(name, [name, *now])) for name in COMMANDS[1:])]


def _queued(symbol: str, output: list[str]) -> str:
    """Return a target for which a symbol waits for the lane, any where it never does; asked in a process of its own."""
    command = [sys.executable, "-m", "trainroute", "explain", *output, "--symbol", symbol, "--limit", "10000"]
    out = subprocess.run([*command, "--format", "json"], check=True, capture_output=True, text=True).stdout
    pairs = json.loads(out)["pairs"]
    waiting = (pair for pair in pairs if "EXPERIMENTAL" in (pair["cs_state"], pair["local_state"]))
    asking = (pair for pair in waiting if pair["route"] in ("ROUTE_EXPERIMENTAL_ONLY", "ROUTE_BLOCKED"))
    return str(next(asking, pairs[0])["target"])


def _command(arguments: list[str]) -> str:
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "trainroute", *arguments], stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{arguments[0]} ended with {child.returncode}")
    took = Took(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)
    return f"{took}, {usage.ru_maxrss / 1e3:,.0f} MB"


if __name__ == "__main__":
    main()
