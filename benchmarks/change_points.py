"""How often `ChangePoint` finds a planted change, and how often it finds one that is not there.

    python benchmarks/change_points.py

One symbol; the first of the features leads the label. 100 panels each without a change, 50 in which the effect reverses
at 60 % of the history; a change counts as found if the last one lies within 5 % of the history from there.
"""

import numpy as np
from numpy.typing import NDArray

from trainroute.families import FAMILIES, TrainingRows
from trainroute.families.shared.changes import change_times

SIZES = ((500, 20), (2000, 5), (2000, 100), (5000, 30))
KINDS = ("normal noise", "classes", "heavy tails", "autocorrelated")
REVERSES_AT = 0.6
DEFAULTS = FAMILIES.get("ChangePoint").hyperparameters


def autocorrelated(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn noise into an autoregression with coefficient 0.95 along the first axis."""
    out = values.copy()
    for row in range(1, len(out)):
        out[row] += 0.95 * out[row - 1]
    return out


def plant(kind: str, n_rows: int, n_features: int, seed: int, *, effect: float, reverses: bool) -> TrainingRows:
    """Rows of one symbol; the effect of the first feature may turn round."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, n_features))
    noise = rng.standard_t(3, size=n_rows) if kind == "heavy tails" else rng.normal(size=n_rows)
    if kind == "autocorrelated":
        features, noise = autocorrelated(features), 0.3 * autocorrelated(noise)
    time = np.arange(n_rows, dtype=np.int32)
    sign = np.where(reverses & (time >= REVERSES_AT * n_rows), -1.0, 1.0)
    label = effect * sign * features[:, 0] + noise
    return TrainingRows(
        features=features.astype(np.float32),
        labels=(label > 0 if kind == "classes" else label).astype(np.float32),
        symbol=np.zeros(n_rows, dtype=np.int32),
        time=time,
        feature_names=tuple(f"f{number}" for number in range(n_features)),
    )


def search(rows: TrainingRows) -> tuple[int, ...]:
    """Search with the family's defaults."""
    return change_times(
        rows,
        most_points=int(DEFAULTS["most_points"] or 0),
        most_features=int(DEFAULTS["most_features"] or 0),
        penalty=float(DEFAULTS["penalty"] or 0.0),
    )


def main() -> None:
    """Print the share of alarms and of changes found, by kind of noise and size."""
    print(f"{'noise':16} {'rows':>6} {'features':>9} {'false alarms':>13} {'found':>7}")
    for kind in KINDS:
        for n_rows, n_features in SIZES:
            quiet = [plant(kind, n_rows, n_features, seed, effect=0.3, reverses=False) for seed in range(100)]
            alarms = np.mean([bool(search(rows)) for rows in quiet])
            turned = [plant(kind, n_rows, n_features, seed, effect=0.5, reverses=True) for seed in range(50)]
            last = [found[-1] if (found := search(rows)) else -n_rows for rows in turned]
            hits = np.mean(np.abs(np.array(last) - REVERSES_AT * n_rows) <= 0.05 * n_rows)
            print(f"{kind:16} {n_rows:6} {n_features:9} {alarms:13.2f} {hits:7.2f}", flush=True)


if __name__ == "__main__":
    main()
