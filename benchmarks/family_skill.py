"""What every model family finds on a panel whose signals are planted.

    python benchmarks/family_skill.py [--symbols 8] [--rows 1500] [--families ...] [--local]

1. Plant four targets on independent symbols: a binary one, one of three classes and a value that follow a line through
   the features of the row, and a value that follows how far a feature has moved from its mean over the 8 rows before:
   of that one a row by itself tells nothing. The best possible prediction of each has a concordance of about 0.70.
2. Measure and route the panel, plan with all families, train the pooled jobs of the plan (``--local``: the local ones
   too). Routing looks at single rows and would block the last target; a pin lets it through.
3. Per family: the holdout score of each task, a mean over symbols with its 95 % t interval (the symbols are
   independent), the same for the last target and over all, fit seconds and peak memory. The last column says whether
   the score of each task beats one half by more than its interval.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from planted import panel_of, symbol_rows
from scipy.stats import t as student
from worlds import Floats, persistent_features

from trainroute.config import Config
from trainroute.evaluate import evaluate_panel
from trainroute.families import FAMILIES, select_families
from trainroute.panel import Panel
from trainroute.records.results import FamilyResult, FamilyState
from trainroute.records.selectors import EVERYTHING, Selector
from trainroute.records.vocabulary import Task, TrainingType
from trainroute.stages import plan_candidates
from trainroute.train import read_manifest, train_plan

SEQUENCE = "y_sequence_1d"
TARGETS = {
    "y_binary_1d": Task.BINARY,
    "y_classes_1d": Task.MULTICLASS,
    "y_value_1d": Task.REGRESSION,
    SEQUENCE: Task.REGRESSION,
}
CLASSES = {Task.BINARY: (0.0, 1.0), Task.MULTICLASS: (0.0, 1.0, 2.0), Task.REGRESSION: ()}
SIGNAL = 0.75
"""Standard deviation of the signal; that of the noise is 1."""
PERSISTENCE, REACH, N_FEATURES = 0.95, 8, 6


def moved(walk: Floats) -> Floats:
    """Return how far a walk is from its mean over the ``REACH`` rows before, less what its value alone tells of that.

    Of a stationary walk with autocorrelation ``PERSISTENCE``^k the expected mean of the rows before is the value times
    the mean autocorrelation. The first ``REACH`` rows of the walk are not returned.
    """
    before = np.convolve(walk[:-1], np.full(REACH, 1.0 / REACH), mode="valid")
    value = walk[REACH:]
    return value - before - (1.0 - np.mean(PERSISTENCE ** np.arange(1, REACH + 1))) * value


def plant(n_symbols: int, n_rows: int, seed: int) -> Panel:
    """Build the panel; see the module."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_symbols):
        x = persistent_features(rng, n_rows + REACH, N_FEATURES, PERSISTENCE)
        line = (x[REACH:, 1] + x[REACH:, 2]) / np.sqrt(2.0)
        change = moved(x[:, 0])
        noisy = [SIGNAL * s / s.std() + rng.normal(size=n_rows) for s in (line, line, line, change)]
        labels = np.stack([noisy[0] > 0, np.digitize(noisy[1], [-0.5, 0.5]), noisy[2], noisy[3]], axis=1)
        rows.append(symbol_rows(f"S{number}", x[REACH:].astype(np.float32), labels.astype(np.float32), 1))
    panel = panel_of(rows, list(TARGETS), 1)
    targets = tuple(replace(t, task=TARGETS[t.name], classes=CLASSES[TARGETS[t.name]]) for t in panel.targets)
    return replace(panel, targets=targets)


def settings(families: tuple[str, ...]) -> Config:
    """Let the last target through, with all families, and hold out a fifth."""
    pin = {"target": SEQUENCE, "force": "ROUTE_CROSS_SECTIONAL", "reason": "planted", "expires": "2999-12-31"}
    return Config.model_validate(
        {
            "routing": {"pins": [pin], "min_sample_size": {"cross_sectional": 1000, "symbol": 500}},
            "planning": {"experimental_families": list(families)},
            "holdout": {"fraction": 0.2},
        }
    )


def trained(
    panel: Panel, config: Config, families: tuple[str, ...], selector: Selector, folder: Path
) -> tuple[FamilyResult, ...]:
    """Measure, route, plan and train; return the models that came of it."""
    evidence = evaluate_panel(
        panel,
        config,
        data_dir=folder,
        output_dir=folder,
        top_n_targets=None,
        top_m_features=None,
        timestamp="",
        git_commit=None,
    )
    _, plan = plan_candidates(
        evidence.candidates,
        config,
        output_dir=folder,
        families=select_families(families),
        feature_sets=evidence.feature_sets,
    )
    outcome = train_plan(plan, panel, config, output_dir=folder, families=families, selector=selector)
    for gap in outcome.report.gaps:
        print(gap)
    return tuple(result for result in outcome.results if result.state is FamilyState.DONE)


def by_symbol(results: list[FamilyResult], folder: Path) -> Floats:
    """Return each symbol's mean holdout score over the models that score it."""
    scores: dict[str, list[float]] = {}
    for result in results:
        manifest = read_manifest(folder / str(result.artifact))
        for symbol, found in manifest.holdout.symbols.items():
            if found.score is not None:
                scores.setdefault(symbol, []).append(found.score)
    return np.array([np.mean(found) for found in scores.values()])


def mean_and_half_width(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of independent scores and half the width of its 95 % t interval."""
    reach = student.ppf(0.975, len(scores) - 1) / np.sqrt(len(scores))
    return float(scores.mean()), float(reach * scores.std(ddof=1))


def row(family: str, results: list[FamilyResult], folder: Path) -> str:
    """Return the table's row of one family."""
    flat = [result for result in results if result.target != SEQUENCE]
    tasks = {task: [r for r in flat if TARGETS[r.target] is task] for task in Task}
    parts = [*tasks.values(), [r for r in results if r.target == SEQUENCE], results]
    cells, lacking = [], []
    for part, task in zip(parts, (*tasks, None, None), strict=True):
        if not part:
            cells.append("·")
            continue
        mean, half = mean_and_half_width(by_symbol(part, folder))
        cells.append(f"{mean:.3f} ± {half:.3f}")
        if task is not None and mean - half <= 0.5:
            lacking.append(task.value)
    lacking += [task.value for task in sorted(FAMILIES.get(family).tasks) if not tasks[task]]
    seconds = sum(result.seconds or 0.0 for result in results)
    memory = max((result.peak_memory_bytes or 0 for result in results), default=0) >> 20
    said = "every task" if not lacking else f"not {', '.join(lacking)}"
    return f"| {' | '.join([family, *cells, f'{seconds:.1f}', str(memory), said])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=8)
    parser.add_argument("--rows", type=int, default=1500, help="of each symbol")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", nargs="+", help="all without it")
    parser.add_argument("--local", action="store_true", help="train the local jobs of the plan too")
    given = parser.parse_args()
    families = select_families(given.families, group="sequential").names
    selector = EVERYTHING if given.local else Selector(types=(TrainingType.CROSS_SECTIONAL.value,))
    panel = plant(given.symbols, given.rows, given.seed)
    with TemporaryDirectory() as name:
        results = trained(panel, settings(families), families, selector, Path(name))
        print("| family | binary | multiclass | regression | sequence | all | seconds | peak MB | beats 0.5 |")
        print("|---|---|---|---|---|---|---|---|---|")
        for family in families:
            print(row(family, [result for result in results if result.family == family], Path(name)))


if __name__ == "__main__":
    main()
