"""Time and memory of the evidence tier as symbols, targets and features grow.

    python benchmarks/evidence_scale.py [symbols rows features targets]

Without arguments: a table that doubles symbols, then targets. Every run is a process of its own.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from planted import Recipe, planted_panel

from trainroute.config import Config
from trainroute.evaluate import evaluate_panel
from trainroute.panel import Panel

TABLE = ((50, 2000, 40, 8), (100, 2000, 40, 8), (200, 2000, 40, 8), (100, 2000, 40, 16), (200, 5000, 100, 20))


def large_panel(symbols: int, rows: int, features: int, targets: int) -> Panel:
    """Build a planted panel whose targets alternate between pooled, local, two-group and noise."""
    kinds = ("pooled", "local", "two_group", "noise")
    recipe = Recipe(n_symbols=symbols, n_rows=rows, n_features=features, seed=0)
    panel = planted_panel(recipe, tuple(kinds[i % 4] for i in range(targets)))[0]
    named = tuple(replace(t, name=t.name.replace("_12d", f"{i:03d}_12d")) for i, t in enumerate(panel.targets))
    return replace(panel, targets=named)


def measure(sizes: tuple[int, ...]) -> dict[str, float]:
    """Evaluate one panel in this process; seconds and peak memory in MB."""
    panel = large_panel(*sizes)
    start = time.perf_counter()
    with TemporaryDirectory() as empty:
        evaluate_panel(
            panel,
            Config(),
            data_dir=Path(empty),
            output_dir=Path(empty),
            top_n_targets=None,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Measure the sizes given, or print the table."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(tuple(int(a) for a in sys.argv[1:5]))))
        return
    print("| symbols | rows | features | targets | seconds | peak MB |\n|---|---|---|---|---|---|")
    for sizes in TABLE:
        done = subprocess.run([sys.executable, __file__, *map(str, sizes)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"| {' | '.join(map(str, sizes))} | {found['seconds']:.1f} | {found['peak_mb']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
