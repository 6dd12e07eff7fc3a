"""The one command on real panels made from ../shared/data: seconds, peak memory, routes, and whether the plan is valid.

python benchmarks/real_panels.py [sp500 | us_1min | beijing_air ...]
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

SHARED = Path(__file__).parents[2] / "shared" / "data"
BEIJING_CONFIG = """
data:
  targets:
    pm25_ahead_6h: {source: PM2.5, shift_bars: 6, horizon: 6h}
    pm25_ahead_24h: {source: PM2.5, shift_bars: 24, horizon: 24h}
    pm25_high_24h: {source: PM2.5, shift_bars: 24, horizon: 24h, above_quantile: 0.8}
    o3_ahead_12h: {source: O3, shift_bars: 12, horizon: 12h}
"""


def trainroute(*arguments: str | Path) -> float:
    """Run a command of trainroute and return its seconds; it must end well."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "trainroute", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def make(panel: str, folder: Path) -> tuple[float, list[str | Path]]:
    """Write a panel's data directory; return the seconds of ``prepare`` and the options that the panel needs."""
    data = folder / "data"
    if panel == "beijing_air":
        data.mkdir()
        (data / "beijing_air_hourly.parquet").symlink_to(SHARED / "beijing_air_hourly.parquet")
        config = folder / "config.yaml"
        config.write_text(BEIJING_CONFIG, encoding="utf-8")
        return 0.0, ["--config", config]
    source = SHARED / ("sp500_daily.parquet" if panel == "sp500" else "us_1min_2024.parquet")
    symbols = pl.scan_parquet(source).select("symbol").unique().collect()["symbol"].sort().to_list()[:100]
    return trainroute("prepare", "--bars", source, "--data-dir", data, "--symbols", *symbols), []


def measure(panel: str) -> str:
    """Run the one command twice, without and with training, and validate the plan; one row of the table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        seconds, options = make(panel, folder)
        place = ["--data-dir", folder / "data", "--output-dir", folder / "results", *options]
        evidence = trainroute("run", *place, "--top-n-targets", "3", "--skip-training")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        cached = trainroute("run", *place, "--top-n-targets", "3", "--skip-training")
        training = trainroute("run", *place, "--top-n-targets", "3") - cached
        trainroute("validate", *place)
        plan = json.loads((folder / "results/globals/training_plan/master_training_plan.json").read_bytes())
        summary = plan["summary"]
        jobs = f"{summary['total_cs_jobs']} + {summary['total_symbol_jobs']}"
        return (
            f"| {panel} | {seconds:.0f} | {evidence:.0f} | {cached:.1f} | {peak:.0f} | {jobs} "
            f"| {summary['total_blocked']} | {training:.0f} |"
        )


def main() -> None:
    """Print the table."""
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: nothing to measure")
    print("| panel | prepare s | to the plan s | again s | peak MB | jobs (pooled + local) | blocked | training s |")
    print("|---|---|---|---|---|---|---|---|")
    for panel in sys.argv[1:] or ("sp500", "us_1min", "beijing_air"):
        print(measure(panel), flush=True)


if __name__ == "__main__":
    main()
