"""The settings of the work: how data are read, split, checked and trained on."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainroute.config.section import Count, PositiveInt, Score, Section, Seed

Recipe = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


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
    targets: dict[str, TargetConfig] = Field(default_factory=dict)
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
    initial_train_blocks: Annotated[int, Field(ge=2)] = 2
    """Blocks that only train; each later block is a test fold."""
    embargo_minutes: Annotated[float, Field(ge=0.0)] = 0.0
    """Further distance between the end of a training label and the test fold."""
    tree_probes: bool = True
    """Let trees compete with ridge where ridge alone settles nothing; off, only linear skill is seen."""

    @model_validator(mode="after")
    def _some_test(self) -> Self:
        if self.initial_train_blocks >= self.n_blocks:
            raise ValueError(f"initial_train_blocks {self.initial_train_blocks} must be below n_blocks {self.n_blocks}")
        return self


class LeakageConfig(Section):
    """What the leak checks tolerate. A feature accepted here is recorded in the plan."""

    accept: tuple[str, ...] = ()
    registry: dict[str, Literal["SAFE", "BLOCKED"]] = Field(default_factory=dict)
    """What your own feature registry says of a feature; beats the name rules."""
    suspect_score: Score = 0.95
    """Single-feature concordance above this makes a feature SUSPECT, never BLOCKED."""
    suspect_lone_score: Score = 0.85
    """The same for a feature without a runner-up: no other has a third of its skill."""
    recipes: dict[str, Recipe] = Field(default_factory=dict)
    """How to compute a feature again from what was known at a time: {feature: "module:function"}."""


Failure = Literal["error", "time_limit", "memory_limit", "died"]
"""The failures that another attempt may mend."""


class ResourceConfig(Section):
    """What one fit may use; what is not given is as for all families."""

    threads: PositiveInt | None = None
    memory_limit_mb: PositiveInt | None = None
    time_limit_minutes: Annotated[float, Field(gt=0.0)] | None = None


class FamilyConfig(ResourceConfig):
    """Resources, failure policy and hyperparameters of one family."""

    from_priority: dict[int, ResourceConfig] = Field(default_factory=dict)
    """Resources of jobs of at least a priority; the highest that a job reaches counts. E.g. {500: {threads: 4}}."""
    attempts: PositiveInt | None = None
    retry_on: tuple[Failure, ...] | None = None
    on_failure: Literal["skip", "stop"] | None = None
    hyperparameters: dict[str, float | int | str | bool | None] = Field(default_factory=dict)


class TrainingConfig(Section):
    """How jobs are run."""

    workers: Count = 0
    """Worker processes of the CPU stage; 0 = one per core."""
    workers_per_gpu: PositiveInt = 1
    """Worker processes of the GPU stage that share one GPU."""
    threads_per_worker: PositiveInt = 1
    """Threads of numeric libraries in a worker; those beside a GPU share all cores instead."""
    memory_mb: Count = 0
    """Memory limits of all fits that run at once, together; 0 = what the machine has free when a stage begins."""
    memory_limit_mb: PositiveInt = 4096
    time_limit_minutes: Annotated[float, Field(gt=0.0)] = 60.0
    attempts: PositiveInt = 2
    """How often a fit is tried in all."""
    retry_on: tuple[Failure, ...] = ("error", "died")
    """The failures after which it is tried again; one that ran into a limit would do so again."""
    on_failure: Literal["skip", "stop"] = "skip"
    """After the last attempt: go on with all others, or let finish what runs and stop."""
    seed: Seed = 0
    families: dict[str, FamilyConfig] = Field(default_factory=dict)
