"""Rank targets by what the better side is expected to reach, after shrinking."""

import math
from collections.abc import Mapping, Sequence

from trainroute.evaluate.evidence import TargetRank
from trainroute.evaluate.group import TargetEvidence
from trainroute.evaluate.posterior import TargetPosteriors
from trainroute.metrics import GroupPosterior


def rank(
    found: Sequence[TargetEvidence],
    posteriors: Mapping[str, TargetPosteriors],
    pooled: GroupPosterior,
    top_n: int | None,
) -> tuple[TargetRank, ...]:
    """Order the targets by posterior predictability, then by name, and select the first ``top_n`` (None: all).

    The posterior is what selects and what is reported, so the best of many is not flattered by having been chosen.
    """
    merit = {
        item.target.name: round(posteriors[item.target.name].predictability(item.scores.weight), 6)
        for item in found
        if item.features and item.scores.pooled_measured
    }
    shrunk = {item.target.name: float(pooled.mean[i]) for i, item in enumerate(found)}
    ordered = sorted(found, key=lambda item: (-merit.get(item.target.name, -1.0), item.target.name))
    places = []
    for place, item in enumerate(ordered, start=1):
        name = item.target.name
        selected = top_n is None or place <= top_n
        places.append(
            TargetRank(
                rank=place,
                target=name,
                predictability=merit.get(name),
                score=_number(item.scores.score),
                score_shrunk=_number(shrunk[name] if name in merit else math.nan),
                score_with_suspect=_number(item.score_with_suspect),
                score_with_quarantined=_number(item.score_with_quarantined),
                trees=item.trees,
                selected=selected,
                reason=_reason(place, top_n, measured=name in merit),
            )
        )
    return tuple(places)


def _reason(place: int, top_n: int | None, *, measured: bool) -> str:
    if not measured:
        return "not measurable: no safe feature or no test row"
    if top_n is None:
        return "asked for by name"
    return f"rank {place} of the {top_n} kept" if place <= top_n else f"rank {place}, beyond the {top_n} kept"


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
