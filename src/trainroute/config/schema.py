"""Every setting, typed and frozen. An unknown key or an impossible value is an error that names the key."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainroute.config.identity import settings_hash

Score = Annotated[float, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
PositiveInt = Annotated[int, Field(ge=1)]
Stability = Literal["STABLE", "DRIFTING", "DIVERGED", "UNKNOWN"]
Leakage = Literal["SAFE", "SUSPECT", "BLOCKED", "UNKNOWN"]


class Section(BaseModel):
    """A part of the config: frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PerTask(Section):
    """A threshold that differs between classification and regression targets."""

    classification: Score
    regression: Score


Threshold = Score | PerTask


def _values(threshold: Threshold) -> tuple[float, float]:
    if isinstance(threshold, PerTask):
        return threshold.classification, threshold.regression
    return threshold, threshold


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
        for low, strong in zip(_values(self.min_score), _values(self.strong_score), strict=True):
            if low > strong:
                raise ValueError(f"min_score {low} must not exceed strong_score {strong}")
        return self


class StabilityAllowlist(Section):
    """The stability categories that may be STRONG or WEAK_BUT_OK, per side."""

    cross_sectional: tuple[Stability, ...] = ("STABLE", "DRIFTING", "UNKNOWN")
    symbol: tuple[Stability, ...] = ("STABLE", "DRIFTING", "UNKNOWN")


class MinPSkill(Section):
    """The posterior probability of skill that each state needs."""

    strong: Fraction = 0.99
    weak: Fraction = 0.95
    experimental: Fraction = 0.80


class EvidenceRules(Section):
    """What counts as evidence, and what decides between the two sides."""

    use_shrunk_score: bool = True
    min_p_skill: MinPSkill = MinPSkill()
    require_ci_above: Threshold = 0.5
    cs_on_symbol_below: Fraction = 0.2
    local_better_above: Fraction = 0.7
    cs_better_below: Fraction = 0.3

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.cs_better_below > self.local_better_above:
            raise ValueError(
                f"cs_better_below {self.cs_better_below} must not exceed local_better_above {self.local_better_above}"
            )
        return self


class ExperimentalRules(Section):
    """The lane for signals that are too weak to serve, yet worth a cheap model."""

    min_score: Threshold = 0.51
    allowed_stabilities: tuple[Stability, ...] = ("STABLE", "DRIFTING", "DIVERGED", "UNKNOWN")
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
    allowed_feature_leakage_status: tuple[Leakage, ...] = ("SAFE",)
    require_min_successful_families: Count = 1
    stability_classification: StabilityClassification = StabilityClassification()
    dump_plan_as: tuple[Literal["JSON", "YAML", "MARKDOWN"], ...] = ("JSON", "YAML", "MARKDOWN")


class PlanningConfig(Section):
    """Which families a job gets, in which order jobs run, and who may teach the pool."""

    standard_families: tuple[str, ...] = ("LightGBM", "XGBoost", "Ensemble")
    """The short list that `trainroute run` and `trainroute train` use: minutes on a laptop."""
    experimental_families: tuple[str, ...] = ("LightGBM",)
    """Experimental jobs get only these, of the ones asked for."""
    family_min_priority: dict[str, Count] = {}
    """A family named here trains only jobs of at least this priority (600 strong pooled … 100 experimental local)."""
    short_symbols_teach_pool: bool = True
    """Symbols too short for their own model still lend their rows to the pooled one."""
    local_symbols_teach_pool: bool = True
    """Symbols routed SYMBOL_SPECIFIC still lend their rows to the pooled model."""


class TargetConfig(Section):
    """What the name or the values of a target do not say."""

    horizon: str | None = None
    """How far ahead the label looks, such as `10m`, `6h`, `5d`."""
    task: Literal["binary", "multiclass", "regression"] | None = None
    shift_bars: Count = 0
    """Build the target from a column of measurements: its value this many rows of the symbol ahead."""
    source: str | None = None
    """The column that it is built from; a feature itself only where `shift_bars` moves it ahead."""
    above_quantile: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Make it binary: 1 where it exceeds this quantile of the symbol's own values in the first 30 % of its rows."""


class DataConfig(Section):
    """How a data directory is read."""

    target_prefixes: tuple[str, ...] = ("y_", "target_", "fwd_ret_")
    targets: dict[str, TargetConfig] = {}
    """Columns that are targets whatever their name, or settings for targets found by prefix."""
    exclude_columns: tuple[str, ...] = ()
    """Columns that are neither features nor targets."""
    raw_columns: tuple[str, ...] = ("open", "high", "low", "close", "volume", "vwap", "adj_close")
    """Raw price and volume levels: not features unless `use_raw_columns`."""
    id_columns: tuple[str, ...] = ("id", "symbol_id", "permno", "gvkey", "cusip", "isin")
    use_raw_columns: bool = False
    bar_interval: str | None = None
    """Such as `1m`, `1h`, `1d`; inferred from the data when not given."""


class HoldoutConfig(Section):
    """The final rows, touched only by the evaluation of trained models."""

    fraction: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.1


class ValidationConfig(Section):
    """Expanding walk-forward over whole timestamps."""

    n_blocks: Annotated[int, Field(ge=4, le=60)] = 10
    """Blocks of equally many timestamps before the holdout."""
    initial_train_blocks: Annotated[int, Field(ge=2)] = 4
    """Blocks that only train; each later block is a test fold."""
    embargo_minutes: Annotated[float, Field(ge=0.0)] = 0.0
    """Further distance between the end of a training label and the test fold."""

    @model_validator(mode="after")
    def _some_test(self) -> Self:
        if self.initial_train_blocks >= self.n_blocks:
            raise ValueError(f"initial_train_blocks {self.initial_train_blocks} must be below n_blocks {self.n_blocks}")
        return self


class LeakageConfig(Section):
    """What the leak checks tolerate. A feature accepted here is recorded in the plan."""

    accept: tuple[str, ...] = ()
    registry: dict[str, Literal["SAFE", "BLOCKED"]] = {}
    """What your own feature registry says of a feature; beats the name rules."""
    suspect_score: Score = 0.95
    """Single-feature concordance above this makes a feature SUSPECT, never BLOCKED."""


class FamilyConfig(Section):
    """Resources, failure policy and hyperparameters of one family."""

    threads: PositiveInt | None = None
    memory_limit_mb: PositiveInt | None = None
    time_limit_minutes: Annotated[float, Field(gt=0.0)] | None = None
    attempts: PositiveInt | None = None
    hyperparameters: dict[str, float | int | str | bool | None] = {}


class TrainingConfig(Section):
    """How jobs are run."""

    workers: Count = 0
    """Worker processes of the CPU stage; 0 = one per core."""
    threads_per_worker: PositiveInt = 1
    memory_limit_mb: PositiveInt = 4096
    time_limit_minutes: Annotated[float, Field(gt=0.0)] = 60.0
    attempts: PositiveInt = 2
    seed: Count = 0
    families: dict[str, FamilyConfig] = {}


class Config(Section):
    """All settings. Only `routing` and `planning` are part of a plan's identity."""

    routing: RoutingConfig = RoutingConfig()
    planning: PlanningConfig = PlanningConfig()
    data: DataConfig = DataConfig()
    holdout: HoldoutConfig = HoldoutConfig()
    validation: ValidationConfig = ValidationConfig()
    leakage: LeakageConfig = LeakageConfig()
    training: TrainingConfig = TrainingConfig()

    @cached_property
    def config_hash(self) -> str:
        """Hash of the settings that decide: `routing` without `dump_plan_as`, and `planning`."""
        return settings_hash(self.routing.model_dump(mode="json", exclude={"dump_plan_as"}), self.planning)

    @cached_property
    def evidence_hash(self) -> str:
        """Hash of the settings that evidence depends on; part of the cache key."""
        relevant = {"stability_classification", "require_safe_features_only", "allowed_feature_leakage_status"}
        routing = self.routing.model_dump(mode="json", include=relevant)
        return settings_hash(routing, self.data, self.holdout, self.validation, self.leakage)
