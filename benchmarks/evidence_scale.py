"""Time and memory of the evidence as symbols, targets and features grow, beside the yardstick of the linear tier.

    python benchmarks/evidence_scale.py [linear | whole [symbols rows features targets]]

``linear`` (the default) is one pass of sums, walk-forward ridge, predictions, scores with intervals and paired errors,
and posteriors, for pooled, local and pooled-on-symbol. The yardstick, ../shared/prototype/one_pass.py (users do not
have it) runs before and after, with one BLAS thread and with all; the fastest of these counts. ``whole`` is all of
``evaluate_panel``: leak checks, tree probes and stability too. Every measurement is a process of its own.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from planted import Recipe, planted_panel
from threadpoolctl import threadpool_limits

from trainroute.config import Config
from trainroute.evaluate import evaluate_panel
from trainroute.evaluate.design import feature_scale, label_columns
from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.learning import Learning, effective_features
from trainroute.evaluate.posterior import pooled_posterior, target_posteriors
from trainroute.evaluate.scoring import TargetScores, score_target
from trainroute.evaluate.statistics import accumulate, target_groups
from trainroute.evaluate.trees import TreeBins
from trainroute.evaluate.walk import fit_folds, predict, test_rows
from trainroute.panel import Panel, walk_forward
from trainroute.parallel import available_cores, in_threads

YARDSTICK = Path(__file__).parents[2] / "shared" / "prototype" / "one_pass.py"
PATIENCE = 40.0
"""Seconds that one run of the yardstick may take; it takes four on idle cores."""
LINEAR = ((50, 2000, 40, 8), (100, 2000, 40, 8), (200, 2000, 40, 8), (100, 2000, 40, 16), (200, 5000, 100, 20))
WHOLE = ((10, 2000, 40, 4), (20, 2000, 40, 4), (20, 2000, 40, 8))


def large_panel(symbols: int, rows: int, features: int, targets: int) -> Panel:
    """Build a planted panel whose targets alternate between pooled, local, two-group and noise."""
    kinds = ("pooled", "local", "two_group", "noise")
    recipe = Recipe(n_symbols=symbols, n_rows=rows, n_features=features, seed=0)
    panel = planted_panel(recipe, tuple(kinds[i % 4] for i in range(targets)))[0]
    named = tuple(replace(t, name=t.name.replace("_12d", f"{i:03d}_12d")) for i, t in enumerate(panel.targets))
    return replace(panel, targets=named)


def linear_tier(panel: Panel) -> None:
    """Measure every target by ridge alone, as ``evaluate_panel`` does, without leak checks, trees and stability."""
    split = walk_forward(panel, Config())
    before = int(split.boundaries[split.first_test])
    scale, columns = feature_scale(panel, before), label_columns(panel, before)
    scores: list[TargetScores] = []
    for group in target_groups(panel):
        index = np.concatenate([columns.of(t) for t in group.targets])
        sums = accumulate(panel, group, split, scale, columns, index)
        data = GroupInput(
            panel=panel, group=group, split=split, scale=scale, columns=columns, sums=sums, bins=TreeBins(panel, before)
        )
        scores += linear_scores(data)
    pooled_posterior(scores)


def linear_scores(data: GroupInput) -> list[TargetScores]:
    """Predict, score and shrink the targets of one group."""
    allowed = np.ones((len(data.targets), len(data.panel.features)), np.bool_)
    rows = test_rows(data.panel, data.group, data.split)
    fits = fit_folds(data.sums, data.split, data.owner, allowed, len(data.panel.features), data.horizon_bars)
    found = predict(data.panel, rows, data.scale, fits)
    owner, steps = data.owner, data.horizon_steps

    def score(i: int) -> TargetScores:
        sides = found.pooled[:, owner == i], found.local[:, owner == i]
        return score_target(data.targets[i], data.outcome(rows, i), rows, *sides, found.local_trained, steps)

    scores = in_threads(score, range(len(data.targets)))
    learning = Learning.of(data, rows, found.local_trained)
    rank = effective_features(data.all_training().pooled().xx[0])
    in_threads(lambda own: target_posteriors(own, learning, rank), scores)
    return scores


def whole_evidence(panel: Panel) -> None:
    """Measure every target as the product does."""
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


def measure(what: str, sizes: tuple[int, ...]) -> dict[str, float]:
    """Measure one panel in this process; seconds and peak memory in MB."""
    panel = large_panel(*sizes)
    start = time.perf_counter()
    with threadpool_limits(limits=1):
        (linear_tier if what == "linear" else whole_evidence)(panel)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def yardstick(sizes: tuple[int, ...]) -> float:
    """Seconds of the yardstick, the faster of one BLAS thread and all; NaN where it is not there."""
    if not YARDSTICK.is_file():
        return float("nan")
    found = []
    for threads in {1, available_cores()}:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, str(YARDSTICK), *map(str, sizes), "10"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:  # BLAS threads that wait for a core that others use
            continue
        found += [float(seconds) for seconds in re.findall(r"all ([\d.]+) s", done.stdout)]
    return min(found, default=float("nan"))


def table(what: str) -> None:
    """Print a table over sizes."""
    print("| symbols | rows | features | targets | seconds | yardstick s | ratio | peak MB |\n" + "|---" * 8 + "|")
    for sizes in LINEAR if what == "linear" else WHOLE:
        earlier = yardstick(sizes) if what == "linear" else float("nan")
        done = subprocess.run(
            [sys.executable, __file__, what, *map(str, sizes)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        beside = min(earlier, yardstick(sizes)) if what == "linear" else float("nan")
        print(
            f"| {' | '.join(map(str, sizes))} | {found['seconds']:.1f} | {beside:.2f} "
            f"| {found['seconds'] / beside:.1f} | {found['peak_mb']:.0f} |",
            flush=True,
        )


def main() -> None:
    """Measure the sizes given, or print the table."""
    what = sys.argv[1] if len(sys.argv) > 1 else "linear"
    if what not in {"linear", "whole"}:
        sys.exit(__doc__)
    if len(sys.argv) > 2:
        print(json.dumps(measure(what, tuple(int(a) for a in sys.argv[2:6]))))
        return
    table(what)


if __name__ == "__main__":
    main()
