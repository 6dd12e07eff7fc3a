"""What predicting costs as rows grow: time and peak memory of a process that does nothing else.

Run: ``python benchmarks/predict_scale.py [--symbols 25 100] [--rows 20000] [--features 40] [--rounds 50]``.

1. A pooled LightGBM is trained on four symbols, without a plan.
2. A fresh process predicts every row of all symbols with it, by the library call `trainroute.predict`.
"""

import argparse
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from trainroute import pipeline

_MINUTE = 60_000_000
_CHILD = """
import resource, sys, time
from trainroute import predict
begun = time.perf_counter()
folder = sys.argv[1]
found = predict(f"{folder}/data", output_dir=f"{folder}/results", no_training_plan=True, since="1970-01-01")
print(found.predicted, time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per number of symbols."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args(arguments)
    logging.getLogger("trainroute").addHandler(logging.NullHandler())
    print("| symbols | rows | seconds | thousand rows a second | peak MB |")
    print("|---|---|---|---|---|")
    for n_symbols in options.symbols:
        with tempfile.TemporaryDirectory(prefix="trainroute-predict-") as name:
            folder = Path(name)
            _write(folder / "data", n_symbols, options.rows, options.features)
            _train(folder, options.rounds)
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, folder], capture_output=True, text=True, check=True
            ).stdout.split()
            rows, seconds, peak = int(done[0]), float(done[1]), float(done[2])
            print(f"| {n_symbols} | {rows:,} | {seconds:.1f} | {rows / seconds / 1000:.0f} | {peak:.0f} |", flush=True)


def _write(folder: Path, n_symbols: int, n_rows: int, n_features: int) -> None:
    folder.mkdir()
    time = pl.Series(np.arange(n_rows) * _MINUTE).cast(pl.Datetime("us", "UTC"))
    for number in range(n_symbols):
        rng = np.random.default_rng(number)
        columns = {f"f{k}": rng.normal(size=n_rows).astype(np.float32) for k in range(n_features)}
        label = (columns["f0"] + rng.normal(size=n_rows) > 0).astype(np.int8)
        pl.DataFrame({"ts": time, **columns, "y_up_1m": label}).write_parquet(folder / f"S{number:04}.parquet")


def _train(folder: Path, rounds: int) -> None:
    quick = {"hyperparameters": {"rounds": rounds, "rounds_without_validation": rounds}}
    result = pipeline.train(
        folder / "data",
        symbols=[f"S{number:04}" for number in range(4)],
        output_dir=folder / "results",
        no_training_plan=True,
        families=["LightGBM"],
        config={"training": {"workers": 1, "families": {"LightGBM": quick}}},
    )
    if result.exit_code:
        raise SystemExit("the model was not trained")


if __name__ == "__main__":
    main()
