"""What routers get that have learned from the answers, or are told them, reading what the rules read.

    python benchmarks/planted_truth.py --save pairs.parquet
    python benchmarks/learned_router.py pairs.parquet

1. Each pair is described by its own evidence and by the mean, spread and correlation of it over its target.
2. For each seed, boosted trees learn from all other seeds what credit each route earns on such a pair; they know the
   mix of mechanisms, which no user does.
3. Each pair of the seed gets the route of the highest expected credit. That is no bound: it has seen some hundred
   targets, and other measurements could tell more. But what it does not get either is hard to get by better numbers.
4. Where half of the symbols follow the pool, only their own scores tell them apart. A router that is told the answers
   but may only cut such a target at one pooled score, and give one route below the cut and CROSS_SECTIONAL above, is a
   bound for every rule by that score; everywhere else it is always right.
"""

import argparse
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
from planted_truth import APART, accuracy, credit

ROUTES = ("ROUTE_BLOCKED", "ROUTE_CROSS_SECTIONAL", "ROUTE_SYMBOL_SPECIFIC", "ROUTE_BOTH")
OWN = ("score", "score_shrunk", "p_skill", "cs_score", "p_cs_skill", "delta_local", "p_local_better")
TOGETHER = ("score", "cs_score", "delta_local", "p_skill", "p_cs_skill")
RELATED = ("score", "delta_local")
MIXED = ("two_group", "pooled_and_local")
PARAMETERS = {
    "objective": "l2",
    "num_leaves": 8,
    "learning_rate": 0.05,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "seed": 0,
    "verbosity": -1,
}
ROUNDS = 200


def described(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of each pair, of the pair alone and of its target together."""
    target = ["seed", "strength", "target"]
    mean = [pl.col(name).mean().over(target).alias(f"mean {name}") for name in TOGETHER]
    spread = [pl.col(name).std().over(target).alias(f"spread {name}") for name in TOGETHER]
    related = [pl.corr(name, "cs_score").over(target).alias(f"{name} with cs_score") for name in RELATED]
    return pairs.select(*OWN, *mean, *spread, *related).cast(pl.Float64)


def learned(pairs: pl.DataFrame) -> pl.DataFrame:
    """Route each seed by what the others teach."""
    known = described(pairs).to_numpy()
    earned = np.column_stack([pairs.with_columns(route=pl.lit(name)).select(credit()).to_series() for name in ROUTES])
    expected = np.empty_like(earned)
    for seed in pairs["seed"].unique():
        own = (pairs["seed"] == seed).to_numpy()
        for number in range(len(ROUTES)):
            taught = lightgbm.train(PARAMETERS, lightgbm.Dataset(known[~own], earned[~own, number]), ROUNDS)
            expected[own, number] = taught.predict(known[own])
    route = pl.Series("route", [ROUTES[best] for best in expected.argmax(axis=1)])
    return pairs.with_columns(route).with_columns(credit=credit())


def told(pairs: pl.DataFrame) -> pl.DataFrame:
    """Route mixed targets by the best cut at one pooled score; give full credit elsewhere."""
    mixed = pl.col("mechanism").is_in(MIXED)
    cut = [_cut(target) for _, target in pairs.filter(mixed).group_by("seed", "strength", "target")]
    return pl.concat([pairs.filter(~mixed).with_columns(credit=pl.lit(1.0)), *cut])


def _cut(target: pl.DataFrame) -> pl.DataFrame:
    ordered = target.sort(pl.col("cs_score").fill_null(0.5))
    place = pl.int_range(pl.len())
    cuts = [
        ordered.with_columns(route=pl.when(place < cut).then(pl.lit(below)).otherwise(pl.lit("ROUTE_CROSS_SECTIONAL")))
        for cut in range(ordered.height + 1)
        for below in ("ROUTE_BLOCKED", "ROUTE_SYMBOL_SPECIFIC")
    ]
    found = [routed.with_columns(credit=credit()) for routed in cuts]
    return max(found, key=lambda routed: float(routed.filter(~pl.col("near"))["credit"].sum()))


def main() -> None:
    """Read the pairs, route them, print accuracy by strength and by mechanism."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    pairs = pl.read_parquet(parser.parse_args().pairs).filter(pl.col("mechanism") != APART)
    by_router = {"rules": pairs, "learned": learned(pairs), "told": told(pairs)}
    for name, routed in by_router.items():
        print(f"{name}:")
        for row in accuracy(routed).iter_rows(named=True):
            print(
                f"  {row['strength']}: accuracy {row['accuracy']:.3f}, balanced {row['balanced']:.3f}, "
                f"noise and leaky routed {row['noise_routed']:.1%}"
            )
    by = ["mechanism", "strength"]
    right = [
        routed.filter(~pl.col("near")).group_by(by).agg(pl.col("credit").mean(), router=pl.lit(name))
        for name, routed in by_router.items()
    ]
    table = pl.concat(right).pivot("router", index=by, values="credit").sort(by)
    print(f"\n| {' | '.join(table.columns)} |\n|{'---|' * table.width}")
    for mechanism, strength, *earned in table.iter_rows():
        print(f"| {mechanism} | {strength} | {' | '.join(f'{value:.3f}' for value in earned)} |")


if __name__ == "__main__":
    main()
