"""Time and memory from a candidates file to every plan file, as targets × symbols grows.

Run ``python benchmarks/plan_scale.py`` (100 × 1,000), or give sizes: ``… plan_scale.py 20x500 1000x1000``.
Each size runs in a process of its own, so that its peak memory is its own. Two tables, which stand in
``docs/plans.md``: the commands, each as a person starts it, and the steps behind ``trainroute route`` one by one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

STABILITY = ("STABLE", "DRIFTING", "DIVERGED", "UNKNOWN")
COMMANDS = ("route", "show", "validate", "explain")
STEPS = ("read", "states and routes", "route", "write routing plan", "plan", "write training plan")


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


def measure(folder: Path) -> dict[str, float]:
    """Run every step once in this process and return seconds by step, peak memory and sizes."""
    from trainroute.config import load_config  # noqa: PLC0415 - the child measures its own imports
    from trainroute.plan import build_training_plan, load_training_plan, validate_plan, write_training_plan  # noqa: PLC0415
    from trainroute.records.candidates_io import read_candidates  # noqa: PLC0415
    from trainroute.records.plan import FeatureSet  # noqa: PLC0415
    from trainroute.records.routing_io import read_routing_plan, write_routing_plan  # noqa: PLC0415
    from trainroute.route import build_routing_plan  # noqa: PLC0415
    from trainroute.route.decide import routed  # noqa: PLC0415
    from trainroute.route.facts import facts_of  # noqa: PLC0415
    from trainroute.route.hysteresis import basis_of, remembered  # noqa: PLC0415

    config, took, alone = load_config(), {}, {}
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
    with _timed(took, "write training plan"):
        write_training_plan(plan, folder / "globals" / "training_plan")
    to_files = sum(took.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    loaded = load_training_plan(folder / "globals" / "training_plan")
    problems = validate_plan(loaded, routing=read_routing_plan(path))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    jobs = float(len(loaded.jobs))
    return {
        **took,
        **alone,
        "total": to_files,
        "peak": peak,
        "size": size,
        "jobs": jobs,
        "problems": float(len(problems)),
    }


@contextmanager
def _timed(took: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    took[step] = time.perf_counter() - start


def main() -> None:
    """Measure the sizes asked for, each in its own process, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["100x1000"], help="targets x symbols")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [tuple(int(part) for part in size.split("x")) for size in options.sizes]
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    tables = (
        _Table(["targets × symbols", *COMMANDS]),
        _Table(["targets × symbols", "jobs", *STEPS, "to all files", "peak", "on disk"]),
    )
    for n_targets, n_symbols in sizes:
        size = f"{n_targets:,} × {n_symbols:,}"
        with tempfile.TemporaryDirectory() as name:
            frame = planted_candidates(n_targets, n_symbols)
            frame.write_parquet(Path(name) / "candidates.parquet")
            pair = frame.select("target", "symbol").row(0)
            tables[0].add(size, *_commands(Path(name), *pair))
            command = [sys.executable, __file__, f"{n_targets}x{n_symbols}", "--child", name]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(out)
        steps = [f"{found[step]:.2f} s" for step in STEPS]
        sums = [f"{found['total']:.1f} s", f"{found['peak']:,.0f} MB", f"{found['size']:,.0f} MB"]
        tables[1].add(size, f"{found['jobs']:,.0f}", *steps, *sums)
        if found["problems"]:
            sys.exit(f"validate found {found['problems']:.0f} problems")
    print("\n\n".join(table.text for table in tables))


class _Table:
    def __init__(self, headings: list[str]) -> None:
        self.text = f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}"

    def add(self, *cells: str) -> None:
        self.text += f"\n| {' | '.join(cells)} |"


def _commands(folder: Path, target: str, symbol: str) -> list[str]:
    """Run each command as a person does; return seconds, core seconds and peak memory of each."""
    arguments = {"route": [str(folder / "candidates.parquet")], "explain": ["--target", target, "--symbol", symbol]}
    found = []
    for name in COMMANDS:
        command = [sys.executable, "-m", "trainroute", name, *arguments.get(name, [])]
        start = time.perf_counter()
        with subprocess.Popen([*command, "--output-dir", str(folder / "out")], stdout=subprocess.DEVNULL) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"{name} ended with {child.returncode}")
        core = usage.ru_utime + usage.ru_stime
        seconds = f"{time.perf_counter() - start:.1f} s ({core:.1f} core s)"
        found.append(f"{seconds}, {usage.ru_maxrss / 1e3:,.0f} MB")
    return found


if __name__ == "__main__":
    main()
