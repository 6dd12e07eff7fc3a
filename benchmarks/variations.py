"""How right the routes are where one thing about the planted worlds is another: size, length, overlap, tails.

    python benchmarks/variations.py [--only TEXT ...] [--trees]

Each row changes one thing of the usual world (`worlds.py`: 40 symbols, 3,000 rows, a horizon of 12 bars). Worlds are
measured, routed and judged as `planted_truth.py` does, with linear probes unless ``--trees`` is given, on held-out
seeds from 20: two worlds a strength, more where symbols are few. A strength that no noise is small enough for is left
out.

Columns: accuracy and balanced accuracy per strength; noise and leaky pairs that got a route; routed less the best fixed
policy (which leaves out what is below its minimum in truth), the worst strength; and how many of the local and of the
pooled models that were said to have skill with a probability of at least ``SURE`` truly have some.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl
from planted_truth import SAME, Case, accuracy, regret, run
from tuning import LINEAR, MECHANISMS
from worlds import Signal, World, loadings

from trainroute.config import Config

USUAL = World(mechanisms=MECHANISMS, unequal=0.1)
STRENGTHS = (0.35, 0.2)
FIXED = ("always-CS", "always-local", "always-both")
SURE = 0.9
FIRST_SEED = 20
WORLDS = 2
SYMBOLS = 80
"""How many symbols the worlds of a row and strength have together, at least."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """What is another thing than usual; ``strengths`` are those of its worlds."""

    changed: Mapping[str, Any] = field(default_factory=dict)
    strengths: tuple[float, ...] = STRENGTHS

    def worlds(self, mechanisms: tuple[str, ...]) -> Iterator[World]:
        """Return the worlds whose strength can be reached."""
        for strength in self.strengths:
            world = replace(USUAL, mechanisms=mechanisms, strength=strength, **self.changed)
            if reachable(world):
                count = max(WORLDS, -(-SYMBOLS // world.n_symbols))
                yield from (replace(world, seed=FIRST_SEED + i) for i in range(count))


VARIATIONS: Mapping[str, Variation] = {
    "usual": Variation(),
    "strength 0.5, 0.1": Variation(strengths=(0.5, 0.1)),
    "5 symbols": Variation(changed={"n_symbols": 5}),
    "15 symbols": Variation(changed={"n_symbols": 15}),
    "200 symbols": Variation(changed={"n_symbols": 200}),
    "1,500 rows": Variation(changed={"n_rows": 1500}),
    "8,000 rows": Variation(changed={"n_rows": 8000}),
    "horizon 1": Variation(changed={"horizon": 1}),
    "horizon 40": Variation(changed={"horizon": 40}),
    "tails of 3 degrees": Variation(changed={"tail_degrees": 3.0}),
    "half start late": Variation(changed={"unequal": 0.5}),
    "20 % missing": Variation(changed={"missing": 0.2}),
    "5 % positives": Variation(changed={"positives": 0.05}),
    "persistence 0": Variation(changed={"persistence": 0.0}),
    "persistence 0.98": Variation(changed={"persistence": 0.98}),
    "common noise 0": Variation(changed={"common_noise": 0.0}),
    "common noise 0.5": Variation(changed={"common_noise": 0.5}),
}


def reachable(world: World) -> bool:
    """Whether some noise is small enough for the strength."""
    try:
        loadings(Signal(linear=np.ones(1)), world)
    except ValueError:
        return False
    return True


def truly(pairs: pl.DataFrame, said: str, true: str) -> str:
    """Return how many of the models that surely have skill, as is said, truly have some."""
    sure = pairs.filter(pl.col(said) >= SURE)
    return f"{(sure[true] > 0.5 + SAME).mean():.3f} ({len(sure)})" if len(sure) else "–"


def row(name: str, pairs: pl.DataFrame) -> str:
    """Return a row of the table."""
    found = accuracy(pairs)
    fixed = regret(pairs).filter(pl.col("policy").is_in(FIXED))
    best = fixed.group_by("strength").agg(pl.col("routed_minus").min())["routed_minus"].min()
    cells = [
        " / ".join(f"{strength:g}" for strength in found["strength"]),
        " / ".join(f"{share:.3f}" for share in found["accuracy"]),
        " / ".join(f"{share:.3f}" for share in found["balanced"]),
        " / ".join(f"{share:.1%}" for share in found["noise_routed"]),
        f"{best:+.4f}",
        truly(pairs, "p_skill", "true_local"),
        truly(pairs, "p_cs_skill", "true_pooled"),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure each variation, print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=VARIATIONS, default=tuple(VARIATIONS), metavar="ROW")
    parser.add_argument("--trees", action="store_true", help="with trees, and with targets that need them")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    mechanisms = (*MECHANISMS, "absolute", "interaction") if arguments.trees else MECHANISMS
    config = Config() if arguments.trees else LINEAR
    print("| world | strength | accuracy | balanced | noise routed | − best fixed | surely local | surely pooled |")
    print("|---|---|---|---|---|---|---|---|")
    with get_context("spawn").Pool(arguments.processes) as pool:
        for name in arguments.only:
            cases = [Case(world=world, config=config) for world in VARIATIONS[name].worlds(mechanisms)]
            print(row(name, pl.concat(pool.map(run, cases, chunksize=1))), flush=True)


if __name__ == "__main__":
    main()
