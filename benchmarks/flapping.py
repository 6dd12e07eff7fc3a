"""How often plans change because of noise alone, with hysteresis and without.

A planted panel: each (target, symbol) has a true pooled and a true local score that never change. Each run measures
both with an error of standard error ``--se``, of which a part (``--fresh``) is new in each run and the rest stays, as
in runs whose data overlap; posterior means and probabilities follow from the measurement by a normal prior. A flap is a
route that differs from that of the run before. ``right`` is the share of routes that equal those of the true scores,
known exactly, under the same settings without a margin.

Run ``python benchmarks/flapping.py``; the table stands in ``docs/routing.md``.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from trainroute.config import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

PRIOR_SD = 0.03
MARGINS = ((0.0, 0.0), (0.005, 0.05), (0.01, 0.1), (0.02, 0.2))


@dataclass(frozen=True)
class Truth:
    """True scores: pooled per target, pooled and local per pair."""

    pooled: np.ndarray
    on_symbol: np.ndarray
    local: np.ndarray


def planted(n_targets: int, n_symbols: int, rng: np.random.Generator) -> Truth:
    """Draw true scores around the thresholds: half of the targets have pooled skill, a third of the pairs local."""
    pooled = np.where(rng.random(n_targets) < 0.5, 0.5, rng.uniform(0.51, 0.58, n_targets))
    on_symbol = np.clip(pooled[:, None] + rng.normal(0.0, 0.005, (n_targets, n_symbols)), 0.5, 1.0)
    extra = np.where(rng.random(on_symbol.shape) < 1 / 3, rng.uniform(0.0, 0.06, on_symbol.shape), 0.0)
    return Truth(pooled=pooled, on_symbol=on_symbol, local=on_symbol + extra - 0.005)


def measured(true: np.ndarray, error: np.ndarray, se: float) -> dict[str, np.ndarray]:
    """Return score, interval, posterior mean and P(score > 0.5) of measurements with a normal prior around 0.5."""
    score = true + error * se
    weight = PRIOR_SD**2 / (PRIOR_SD**2 + se**2)
    mean, sd = 0.5 + weight * (score - 0.5), np.sqrt(weight) * se
    return {
        "score": score,
        "score_ci_low": score - 2 * se,
        "score_shrunk": mean,
        "p_skill": norm.cdf((mean - 0.5) / max(sd, 1e-9)),
    }


def candidates(truth: Truth, errors: tuple[np.ndarray, np.ndarray], se: float) -> pl.DataFrame:
    """Return the candidates table of one run; the pooled score is measured on all symbols, so five times as well."""
    n_targets, n_symbols = truth.local.shape
    targets, symbols = [f"y{i:03d}" for i in range(n_targets)], [f"S{i:03d}" for i in range(n_symbols)]
    pooled_error, local_error = errors
    local = measured(truth.local.ravel(), local_error.ravel(), se)
    on_symbol = measured(truth.on_symbol.ravel(), np.repeat(pooled_error, n_symbols), se / 5)
    difference = local["score_shrunk"] - on_symbol["score_shrunk"]
    spread = max(se * 1.02, 1e-9)
    pairs = pl.DataFrame(
        {
            "target": np.repeat(targets, n_symbols),
            "symbol": np.tile(symbols, n_targets),
            **local,
            "cs_score": on_symbol["score"],
            "cs_score_shrunk": on_symbol["score_shrunk"],
            "p_cs_skill": on_symbol["p_skill"],
            "p_local_better": norm.cdf(difference / spread),
        }
    )
    own = pl.DataFrame({"target": targets, **measured(truth.pooled, pooled_error, se / 5)})
    common = {
        "sample_size": pl.lit(20_000),
        "n_eff": pl.lit(1_000.0),
        "minority_events": pl.lit(1_000),
        "stability": pl.lit("STABLE"),
        "leakage_status": pl.lit("SAFE"),
        "task_type": pl.lit("binary"),
        "attempted_model_families": pl.lit(["Ridge"], pl.List(pl.String)),
        "failed_model_families": pl.lit([], pl.List(pl.String)),
    }
    bounded = pl.col("score", "score_ci_low", "score_shrunk").clip(0.0, 1.0)
    return pl.concat([pairs, own], how="diagonal").with_columns(bounded, **common)


def routes(plan: RoutingPlan) -> np.ndarray:
    """Return the routes of all pairs, in order."""
    return plan.pairs["route"].to_numpy()


def main() -> None:
    """Print the table: flaps per run and right routes by margin, means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--se", type=float, default=0.01)
    parser.add_argument("--fresh", type=float, default=0.3)
    asked = parser.parse_args()
    print("| score_margin | probability_margin | flaps per run | of pairs | right routes |\n|---|---|---|---|---|")
    for score_margin, probability_margin in MARGINS:
        found = [one(asked, seed, score_margin, probability_margin) for seed in range(asked.seeds)]
        flaps, right = (float(np.mean([pair[k] for pair in found])) for k in (0, 1))
        share = flaps / (asked.targets * asked.symbols)
        print(f"| {score_margin} | {probability_margin} | {flaps:.1f} | {share:.1%} | {right:.1%} |", flush=True)


def one(asked: argparse.Namespace, seed: int, score_margin: float, probability_margin: float) -> tuple[float, float]:
    """Return the mean number of flaps per run, and the mean share of right routes, of one panel."""
    rng = np.random.default_rng(seed)
    truth = planted(asked.targets, asked.symbols, rng)
    margins = {"score_margin": score_margin, "probability_margin": probability_margin}
    config = Config.model_validate({"routing": {"hysteresis": margins}})
    zero = (np.zeros(truth.pooled.shape), np.zeros(truth.local.shape))
    best = routes(_route(candidates(truth, zero, asked.se), Config(), None))
    kept = tuple(rng.normal(size=error.shape) for error in zero)
    previous, flaps, right = None, [], []
    for _ in range(asked.runs):
        fresh = (rng.normal(size=error.shape) for error in zero)
        parts = zip(kept, fresh, strict=True)
        errors = tuple(np.sqrt(1 - asked.fresh) * old + np.sqrt(asked.fresh) * new for old, new in parts)
        plan = _route(candidates(truth, (errors[0], errors[1]), asked.se), config, previous)
        if previous is not None:
            flaps.append(int((routes(plan) != routes(previous)).sum()))
        right.append(float((routes(plan) == best).mean()))
        previous = plan
    return float(np.mean(flaps)), float(np.mean(right))


def _route(table: pl.DataFrame, config: Config, previous: RoutingPlan | None) -> RoutingPlan:
    found = validate_candidates(table, "planted")
    return build_routing_plan(found, config, generated_at="2024-01-01", git_commit=None, previous=previous)


if __name__ == "__main__":
    main()
