"""How many leaks of each kind the leak checks find, and how many honest features they accuse.

    python benchmarks/leak_zoo.py [panels per kind and setting, default 4]

Every panel has 3,000 rows per symbol and features of one kind (`leaks.py`); half of the panels have a continuous label,
half the label's upper half against its lower. All checks run as in `trainroute run`. "AUC" is the mean single-feature
concordance with the label, in the affected symbols.
"""

import sys
import time
from pathlib import Path

import numpy as np
from leaks import KINDS, Kind, panel

from trainroute.config import Config
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext
from trainroute.metrics import concordance
from trainroute.panel import Panel, walk_forward
from trainroute.records.vocabulary import LeakageStatus

HORIZONS = (4, 12, 20)
N_ROWS = 3000


def statuses(found: Panel) -> list[tuple[LeakageStatus | None, str]]:
    """Return the worst status of each feature, None for none, and which check says so."""
    strength = np.zeros((len(found.targets), len(found.features)))
    for rows in found.rows:
        x, y = np.nan_to_num(rows.features), np.nan_to_num(rows.targets)
        together = np.corrcoef(np.concatenate([y, x], axis=1).T)[: y.shape[1], y.shape[1] :]
        strength += np.abs(together) / len(found.rows)
    context = LeakContext(
        panel=found, split=walk_forward(found, Config()), config=Config(), data_dir=Path("nowhere"), strength=strength
    )
    result: dict[str, tuple[LeakageStatus | None, str]] = {name: (None, "") for name in found.features}
    for check in LEAK_CHECKS.members():
        for finding in check().find(context):
            if result[finding.feature][0] is not LeakageStatus.BLOCKED:
                result[finding.feature] = finding.status, check.name
    return list(result.values())


def mean_auc(found: Panel, affected: list[int]) -> float:
    """Return the mean concordance, or its complement, of features with the label in the affected symbols."""
    scores = []
    for s in affected[:3]:
        rows = found.rows[s]
        for x in rows.features.T:
            known = ~np.isnan(x)
            score = concordance(x[known], rows.targets[known, 0])
            scores.append(max(score, 1 - score))
    return float(np.mean(scores))


def measure(kind: Kind, n_symbols: int, panels: int) -> str:
    """Run all checks on panels of one kind; one row of the table."""
    counts, aucs, by, start, seconds = np.zeros(3, int), [], {}, 0.0, 0.0
    for seed in range(panels):
        for horizon in HORIZONS:
            for binary in (False, True):
                made = panel(kind, horizon=horizon, n_symbols=n_symbols, n_rows=N_ROWS, binary=binary, seed=seed)
                aucs.append(mean_auc(made, [s for s in range(n_symbols) if kind.affected(s, n_symbols)]))
                start = time.perf_counter()
                found = statuses(made)
                seconds += time.perf_counter() - start
                for status, check in found:
                    counts += 1, status is LeakageStatus.BLOCKED, status is not None
                    by[check] = by.get(check, 0) + bool(check)
    total, blocked, unsafe = counts
    who = ", ".join(f"{name} {n}" for name, n in sorted(by.items()) if n)
    return (
        f"| {kind.group} | {kind.name} | {n_symbols} | {total} | {np.mean(aucs):.2f} | {100 * blocked / total:.1f} "
        f"| {100 * unsafe / total:.1f} | {who} |"
    )


def main() -> None:
    """Print the table."""
    panels = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    print("| | kind | symbols | instances | AUC | BLOCKED % | not SAFE % | by |\n|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        if only in kind.name or only == kind.group:
            for n_symbols in (40,) if "quarter" in kind.name else (1, 10):
                print(measure(kind, n_symbols, panels), flush=True)


if __name__ == "__main__":
    main()
