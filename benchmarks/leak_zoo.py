"""How many leaks of each kind the leak checks find, and how many honest features they accuse.

    python benchmarks/leak_zoo.py [--seeds 20-29] [--instances 200] [--ordinary 5000] [--kinds REGEX]

Every panel has 3,000 rows per symbol and features of one kind (`leaks.py`); half of the panels have a continuous label,
half the label's upper half against its lower. All checks run as in `trainroute run`. The numbers of the checks were set
on seeds 0-9; seeds 20-29, the default, are held out. "AUC" is the mean single-feature concordance with the label, in
the affected symbols; intervals are Wilson's, as if features of one panel were independent. Features with a recipe
(`leak_recipes.py`) have a table of their own.
"""

import argparse
import math
import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import leak_recipes
import numpy as np
from counts import share
from leaks import KINDS, Kind, panel

from trainroute.config import Config, parse_config
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext
from trainroute.metrics import concordance
from trainroute.panel import Panel, load_panel, walk_forward
from trainroute.records.vocabulary import LeakageStatus

N_ROWS = 3000


def statuses(found: Panel) -> list[tuple[LeakageStatus | None, str]]:
    """Return the worst status of each feature, None for none, and which check says so."""
    strength = np.zeros((len(found.targets), len(found.features)))
    for rows in found.rows:
        both = np.nan_to_num(np.concatenate([rows.targets, rows.features], axis=1).astype(np.float64))
        both = (both - both.mean(0)) / np.maximum(both.std(0), 1e-9)
        strength += np.abs(both[:, : len(found.targets)].T @ both[:, len(found.targets) :]) / both.shape[0]
    strength /= len(found.rows)
    context = LeakContext(
        panel=found, split=walk_forward(found, Config()), config=Config(), data_dir=Path("nowhere"), strength=strength
    )
    result: dict[str, tuple[LeakageStatus | None, str]] = dict.fromkeys(found.features, (None, ""))
    for check in LEAK_CHECKS.members():
        for finding in check().find(context):
            if result[finding.feature][0] is not LeakageStatus.BLOCKED:
                result[finding.feature] = finding.status, check.name
    return list(result.values())


def mean_auc(found: Panel, affected: list[int], counted: int) -> float:
    """Return the mean concordance, or its complement, of features with the label in the affected symbols."""
    scores = []
    for s in affected[:3]:
        rows = found.rows[s]
        for x in rows.features.T[:counted]:
            known = ~np.isnan(x)
            score = concordance(x[known], rows.targets[known, 0])
            scores.append(max(score, 1 - score))
    return float(np.mean(scores))


def measure(kind: Kind, n_symbols: int, instances: int, seeds: range) -> str:
    """Run all checks on panels of one kind, at least so many instances; one row of the table."""
    counts, by, aucs = Counter[LeakageStatus | None](), Counter[str](), []
    counted = 1 if kind.alone else kind.n_features
    affected = [s for s in range(n_symbols) if kind.affected(s, n_symbols)]
    settings = [(horizon, binary) for horizon in kind.horizons for binary in (False, True)]
    rounds = math.ceil(instances / counted / len(settings))
    for seed, (horizon, binary) in zip(panel_seeds(seeds, rounds * len(settings)), rounds * settings, strict=True):
        made = panel(kind, horizon=horizon, n_symbols=n_symbols, n_rows=N_ROWS, binary=binary, seed=seed)
        aucs.append(mean_auc(made, affected, counted))
        for status, check in statuses(made)[:counted]:
            counts[status] += 1
            by[check] += status is not None
    total = counts.total()
    who = ", ".join(f"{name} {n}" for name, n in sorted(by.items()) if n)
    return (
        f"| {kind.group} | {kind.name} | {n_symbols} | {total} | {np.mean(aucs):.2f} "
        f"| {share(counts[LeakageStatus.BLOCKED], total)} | {share(total - counts[None], total)} | {who} |"
    )


def panel_seeds(seeds: range, n: int) -> list[int]:
    """Return seeds of ``n`` panels, one after the other from each of ``seeds``."""
    return [1000 * seeds[i % len(seeds)] + i // len(seeds) for i in range(n)]


def recipes(instances: int, seeds: range) -> str:
    """Count the findings on features with a recipe; the second table."""
    lines = ["| recipe | needs the future | instances | BLOCKED % |", "|---|---|---|---|"]
    for name in (*leak_recipes.LEAKY, *leak_recipes.HONEST):
        found, tried = 0, panel_seeds(seeds, instances)
        for seed in tried:
            with TemporaryDirectory() as folder:
                history = leak_recipes.history(seed)
                whole = history.join(getattr(leak_recipes, name)(history), on=("symbol", "ts"))
                whole.write_parquet(Path(folder) / "panel.parquet")
                config = parse_config(f"leakage: {{recipes: {{x: 'leak_recipes:{name}'}}}}", "benchmark")
                made = load_panel(Path(folder), config.data)
                context = LeakContext(
                    panel=made,
                    split=walk_forward(made, config),
                    config=config,
                    data_dir=Path(folder),
                    strength=np.zeros((1, 1)),
                )
                found += len(list(LEAK_CHECKS.get("recipes")().find(context)))
        leaky = "yes" if name in leak_recipes.LEAKY else "no"
        lines.append(f"| {name.replace('_', ' ')} | {leaky} | {len(tried)} | {share(found, len(tried))} |")
    return "\n".join(lines)


def seed_range(text: str) -> range:
    """Return the seeds that ``20-29`` means."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=seed_range, default=range(20, 30))
    parser.add_argument("--instances", type=int, default=200, help="of each kind, at least")
    parser.add_argument("--ordinary", type=int, default=5000, help="the same of ordinary features")
    parser.add_argument("--kinds", default="", help="only the kinds whose name has a match of this")
    options = parser.parse_args()
    print("| | kind | symbols | instances | AUC | BLOCKED % | not SAFE % | by |\n|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        if re.search(options.kinds, kind.name):
            instances = options.ordinary if kind.group == "ordinary" else options.instances
            for n_symbols in (40,) if "quarter" in kind.name else (1, 10):
                print(measure(kind, n_symbols, instances, options.seeds), flush=True)
    if not options.kinds:
        print("\n" + recipes(math.ceil(options.instances / 8), options.seeds))


if __name__ == "__main__":
    main()
