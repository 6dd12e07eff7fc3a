"""The settings that decide: `routing` of the config."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trainroute.config.pins import Pin
from trainroute.config.section import Count, Fraction, PositiveInt, Section, Threshold, require_ordered

Stabilities = Annotated[tuple[Literal["STABLE", "DRIFTING", "DIVERGED", "UNKNOWN"], ...], Field(min_length=1)]
FeatureLeakage = Literal["SAFE", "SUSPECT", "UNKNOWN"]
"""What may be tolerated of a feature; one that is BLOCKED never is."""


def _with_safe(statuses: tuple[FeatureLeakage, ...]) -> tuple[FeatureLeakage, ...]:
    if "SAFE" not in statuses:
        raise ValueError("must contain SAFE")
    return statuses


class PerSideCount(Section):
    """A minimum for the pooled side and one for the local side."""

    cross_sectional: Count
    symbol: Count


class SideThresholds(Section):
    """The two score thresholds of one side."""

    min_score: Threshold
    strong_score: Threshold

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_ordered(("min_score", self.min_score), ("strong_score", self.strong_score))
        return self


class StabilityAllowlist(Section):
    """The stability categories that may be STRONG or WEAK_BUT_OK, per side."""

    cross_sectional: Stabilities = ("STABLE", "DRIFTING", "UNKNOWN")
    symbol: Stabilities = ("STABLE", "DRIFTING", "UNKNOWN")


class MinPSkill(Section):
    """The posterior probability of skill that each state needs."""

    strong: Fraction = 0.99
    weak: Fraction = 0.8
    experimental: Fraction = 0.80

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_ordered(("experimental", self.experimental), ("weak", self.weak))
        require_ordered(("weak", self.weak), ("strong", self.strong))
        return self


class EvidenceRules(Section):
    """What counts as evidence, and what decides between the two sides."""

    use_shrunk_score: bool = True
    min_p_skill: MinPSkill = MinPSkill()
    require_ci_above: Threshold = 0.5
    cs_on_symbol_below: Fraction = 0.5
    local_better_above: Fraction = 0.55
    cs_better_below: Fraction = 0.45

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        require_ordered(("cs_better_below", self.cs_better_below), ("local_better_above", self.local_better_above))
        return self


class ExperimentalRules(Section):
    """The lane for signals that are too weak to serve, yet worth a cheap model."""

    min_score: Threshold = 0.51
    allowed_stabilities: Stabilities = ("STABLE", "DRIFTING", "DIVERGED", "UNKNOWN")
    max_fraction_symbols_per_target: Fraction = 0.2


class StabilityClassification(Section):
    """Cut-offs on chance-corrected Jaccard overlap and Kendall tau (0 = chance, 1 = equal)."""

    stable_overlap_min: Fraction = 0.7
    drifting_overlap_min: Fraction = 0.5
    stable_tau_min: Fraction = 0.6
    drifting_tau_min: Fraction = 0.4
    max_std_overlap: Annotated[float, Field(ge=0.0)] = 0.2
    max_std_tau: Annotated[float, Field(ge=0.0)] = 0.25
    min_snapshots_for_stability: Annotated[int, Field(ge=2)] = 2
    top_k: PositiveInt = 20

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        stable, drifting = self.stable_overlap_min, self.drifting_overlap_min
        require_ordered(("drifting_overlap_min", drifting), ("stable_overlap_min", stable))
        stable, drifting = self.stable_tau_min, self.drifting_tau_min
        require_ordered(("drifting_tau_min", drifting), ("stable_tau_min", stable))
        return self


class HysteresisRules(Section):
    """How far evidence must fall below a threshold, once passed, before the previous plan is left; 0 = at once."""

    score_margin: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """For `min_score`, `strong_score` and the interval."""
    probability_margin: Fraction = 0.0
    """For `min_p_skill`, `cs_on_symbol_below`, `local_better_above` and `cs_better_below`."""

    @property
    def on(self) -> bool:
        """Whether the previous plan matters."""
        return self.score_margin > 0 or self.probability_margin > 0


class RoutingConfig(Section):
    """The decision rules of SPEC section 5."""

    min_sample_size: PerSideCount = PerSideCount(cross_sectional=5000, symbol=1000)
    min_effective_size: PerSideCount = PerSideCount(cross_sectional=100, symbol=50)
    min_minority_events: Count = 30
    block_on_leakage: bool = True
    cross_sectional: SideThresholds = SideThresholds(min_score=0.52, strong_score=0.55)
    symbol: SideThresholds = SideThresholds(min_score=0.53, strong_score=0.57)
    stability_allowlist: StabilityAllowlist = StabilityAllowlist()
    both_strong_behavior: Literal["ROUTE_BOTH", "PREFER_CS", "PREFER_SYMBOL", "PREFER_BETTER"] = "PREFER_BETTER"
    evidence: EvidenceRules = EvidenceRules()
    enable_experimental_lane: bool = True
    experimental: ExperimentalRules = ExperimentalRules()
    require_safe_features_only: bool = True
    allowed_feature_leakage_status: Annotated[tuple[FeatureLeakage, ...], AfterValidator(_with_safe)] = ("SAFE",)
    require_min_successful_families: Count = 1
    stability_classification: StabilityClassification = StabilityClassification()
    hysteresis: HysteresisRules = HysteresisRules()
    pins: tuple[Pin, ...] = ()
    dump_plan_as: tuple[Literal["JSON", "YAML", "MARKDOWN"], ...] = ("JSON", "YAML", "MARKDOWN")
    dump_candidates_as: Literal["PARQUET", "CSV"] = "PARQUET"

    @model_validator(mode="after")
    def _lane_below_sides(self) -> Self:
        if self.enable_experimental_lane:
            lane = "experimental.min_score", self.experimental.min_score
            require_ordered(lane, ("cross_sectional.min_score", self.cross_sectional.min_score))
            require_ordered(lane, ("symbol.min_score", self.symbol.min_score))
        return self
