"""Check whether the probabilities that shrinkage gives are true, on groups whose effects are known.

    python benchmarks/group_posterior.py [--replicates 25] [--seed 0]

Members of a group are measured over blocks of dates with errors that partly belong to all of them. What is known of the
errors is only what the product knows: block totals. Printed are, per kind of group, how many members without an effect
pass and how many with one are found (posterior mean above 0.52, probability above 0.95), then how often what is said
with some probability is true.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainroute.metrics import (
    GroupPosterior,
    common_standard_error,
    degrees_of_freedom,
    group_posterior,
    standard_errors,
)

Float = NDArray[np.float64]
N_BLOCKS = 37
ERROR = 0.03
COMMON = (0.0, 0.3, 0.5)
EDGES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0 + 1e-9])


def where(share: float, size: float, spread: float) -> Callable[[np.random.Generator, int], Float]:
    """Give a share of the members an effect, the others none."""
    return lambda rng, n: np.where(rng.random(n) < share, size + spread * rng.normal(size=n), 0.0)


KINDS = {
    "nothing": where(0.0, 0.0, 0.0),
    "nothing, again": where(0.0, 0.0, 0.0),
    "nothing, a third time": where(0.0, 0.0, 0.0),
    "all, 0.01": where(1.0, 0.01, 0.003),
    "all, 0.02": where(1.0, 0.02, 0.004),
    "all, 0.05": where(1.0, 0.05, 0.01),
    "all, 0.10": where(1.0, 0.10, 0.02),
    "half, 0.05": where(0.5, 0.05, 0.01),
    "four in ten, 0.10": where(0.4, 0.10, 0.02),
    "one in ten, 0.08": where(0.1, 0.08, 0.01),
    "all sizes from 0": lambda rng, n: np.abs(0.03 * rng.normal(size=n)),
}


def measured(rng: np.random.Generator, effect: Float, common: float) -> tuple[Float, Float]:
    """Draw estimates and block totals; ``common`` is the share of the error's variance that all members have."""
    size = ERROR * np.exp(0.2 * rng.normal(size=len(effect))) / np.sqrt(N_BLOCKS)
    own = rng.normal(size=(len(effect), N_BLOCKS))
    totals = (np.sqrt(common) * rng.normal(size=N_BLOCKS) + np.sqrt(1 - common) * own) * size[:, None]
    return 0.5 + effect + totals.sum(axis=1), totals - totals.mean(axis=1, keepdims=True)


def posterior(estimate: Float, totals: Float) -> GroupPosterior:
    """Read the measurements as the product does."""
    return group_posterior(
        estimate,
        standard_errors(totals),
        common_se=common_standard_error(totals, np.ones(len(totals))),
        degrees=degrees_of_freedom(totals),
    )


def study(n_members: int, replicates: int, seed: int) -> None:
    """Print both tables for groups of ``n_members``."""
    rng = np.random.default_rng(seed)
    print(f"\n{n_members} members\n\n| group | false passes, common error 0 / 0.3 / 0.5 | found |\n|---|---|---|")
    said, true = [], []
    for kind, effects in KINDS.items():
        passes, finds = [], []
        for common in COMMON:
            passed, exists = [], []
            for _ in range(replicates):
                effect = effects(rng, n_members)
                found = posterior(*measured(rng, effect, common))
                passed.append((found.p_above > 0.95) & (found.mean > 0.52))
                exists.append(effect > 0)
                said.append(found.p_above)
            yes, real = np.concatenate(passed), np.concatenate(exists)
            true.append(real)
            passes.append(f"{yes[~real].mean():.1%}" if not real.all() else "–")
            finds.append(f"{yes[real].mean():.0%}" if real.any() else "–")
        print(f"| {kind} | {' / '.join(passes)} | {' / '.join(finds)} |")
    print("\n| said | true | members |\n|---|---|---|")
    probability, fact = np.concatenate(said), np.concatenate(true)
    for low, high in pairwise(EDGES):
        chosen = (probability >= low) & (probability < high)
        if chosen.any():
            print(f"| {probability[chosen].mean():.3f} | {fact[chosen].mean():.3f} | {chosen.sum()} |")


def main() -> None:
    """Print the tables for large and small groups."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    for n_members, replicates in ((40, options.replicates), (5, 4 * options.replicates), (1, 12 * options.replicates)):
        study(n_members, replicates, options.seed)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
