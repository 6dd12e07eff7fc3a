"""Which numbers of `routing.evidence` the planted worlds ask for, and whether they hold for mechanisms not tuned on.

    python benchmarks/tuning.py [--seeds 0 5] [--held-out 20 23]

1. Worlds of the tuning seeds and of others are planted and measured once, with linear probes.
2. They are routed by every combination of `GRID`. A combination is worth the mean, over strengths, of its accuracy and
   its balanced accuracy (`planted_truth.py`), unless more than `MOST_NOISE` of the pairs of noise and leaky targets get
   a route at some strength.
3. The best combinations are printed beside the defaults. Then each mechanism is left out: the best combination for the
   others on the tuning seeds, and the mechanism's own accuracy by it and by the defaults, on the held-out seeds.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

import polars as pl
from planted_truth import Case, Measured, accuracy, measured
from worlds import World

from trainroute.config import Config

MECHANISMS = ("none", "none", "leaky", "pooled", "one_factor", "local", "both", "two_group", "pooled_and_local")
STRENGTHS = (0.35, 0.2, 0.12)
MOST_NOISE = 0.02
SHOWN = 8
LINEAR = Config.model_validate({"validation": {"tree_probes": False}})


@dataclass(frozen=True, order=True)
class Numbers:
    """A combination: the least `p_skill` of a weak side, the least `p_cs_skill`, how far from one half BOTH goes."""

    weak: float
    served: float
    undecided: float

    @property
    def text(self) -> str:
        """The numbers as cells of a table."""
        return f"{self.weak} | {self.served} | {self.undecided}"

    @property
    def config(self) -> Config:
        """The defaults with these numbers."""
        skill = {"strong": 0.99, "weak": self.weak, "experimental": min(self.weak, 0.8)}
        evidence = {
            "min_p_skill": skill,
            "cs_on_symbol_below": self.served,
            "local_better_above": 0.5 + self.undecided,
            "cs_better_below": 0.5 - self.undecided,
        }
        return Config.model_validate({"routing": {"evidence": evidence}})


DEFAULT = Numbers(0.8, 0.5, 0.05)
GRID = tuple(
    Numbers(*chosen) for chosen in product((0.75, 0.8, 0.85, 0.9, 0.95), (0.2, 0.4, 0.5, 0.6), (0.05, 0.1, 0.2))
)


def planted(seeds: Sequence[int], processes: int) -> list[Measured]:
    """Measure a world of each seed and strength."""
    cases = [
        Case(world=World(mechanisms=MECHANISMS, strength=strength, unequal=0.1, seed=seed), config=LINEAR)
        for strength, seed in product(STRENGTHS, range(*seeds))
    ]
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(measured, cases, chunksize=1)


def routed(worlds: Sequence[Measured], numbers: Numbers) -> pl.DataFrame:
    """Route all worlds by a combination."""
    return pl.concat(world.routed(numbers.config) for world in worlds)


def worth(pairs: pl.DataFrame) -> float:
    """Return what a combination is chosen by; minus infinity if it lets too much noise through."""
    found = accuracy(pairs)
    if (found["noise_routed"].fill_null(0.0) > MOST_NOISE).any():
        return -float("inf")
    return float((found["accuracy"] + found["balanced"]).mean()) / 2


def best_table(by_numbers: Mapping[Numbers, pl.DataFrame]) -> None:
    """Print the defaults and the best combinations."""
    print("| weak | served | undecided | worth | accuracy 0.35 / 0.20 / 0.12 | balanced | noise routed |")
    print("|---|---|---|---|---|---|---|")
    best = sorted(by_numbers, key=lambda numbers: -worth(by_numbers[numbers]))
    for numbers in dict.fromkeys([DEFAULT, *best[:SHOWN]]):
        found = accuracy(by_numbers[numbers])
        cells = [" / ".join(f"{value:.3f}" for value in found[name]) for name in ("accuracy", "balanced")]
        cells.append(" / ".join(f"{value:.1%}" for value in found["noise_routed"]))
        print(f"| {numbers.text} | {worth(by_numbers[numbers]):.4f} | {' | '.join(cells)} |", flush=True)


def left_out_table(by_numbers: Mapping[Numbers, pl.DataFrame], others: Sequence[Measured]) -> None:
    """Print for each mechanism the best combination without it, and its own accuracy by that and by the defaults."""
    print("\n| left out | weak | served | undecided | accuracy without it | by the defaults |")
    print("|---|---|---|---|---|---|")
    for left_out in dict.fromkeys(MECHANISMS):
        others_only = pl.col("mechanism") != left_out
        without = {numbers: worth(pairs.filter(others_only)) for numbers, pairs in by_numbers.items()}
        chosen = max(without, key=lambda numbers: without[numbers])
        own, default = (
            routed(others, numbers).filter(~others_only & ~pl.col("near"))["credit"].mean()
            for numbers in (chosen, DEFAULT)
        )
        print(f"| {left_out} | {chosen.text} | {own:.3f} | {default:.3f} |", flush=True)


def main() -> None:
    """Measure, route by every combination, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 5), metavar=("FIRST", "END"))
    parser.add_argument("--held-out", type=int, nargs=2, default=(20, 23), metavar=("FIRST", "END"))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    worlds = planted(arguments.seeds, arguments.processes)
    by_numbers = {numbers: routed(worlds, numbers) for numbers in GRID}
    best_table(by_numbers)
    left_out_table(by_numbers, planted(arguments.held_out, arguments.processes))


if __name__ == "__main__":
    main()
