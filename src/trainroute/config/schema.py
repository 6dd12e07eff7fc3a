"""Every setting, typed and frozen. An unknown key or an impossible value is an error that names the key."""

from functools import cached_property

from trainroute.config.identity import deciding_hash, settings_hash
from trainroute.config.planning import PlanningConfig
from trainroute.config.routing import RoutingConfig, StabilityClassification
from trainroute.config.running import (
    DataConfig,
    FamilyConfig,
    HoldoutConfig,
    LeakageConfig,
    ResourceConfig,
    TargetConfig,
    TrainingConfig,
    ValidationConfig,
)
from trainroute.config.section import PerTask, Section, Threshold

__all__ = [
    "Config",
    "DataConfig",
    "FamilyConfig",
    "HoldoutConfig",
    "LeakageConfig",
    "PerTask",
    "PlanningConfig",
    "ResourceConfig",
    "RoutingConfig",
    "StabilityClassification",
    "TargetConfig",
    "Threshold",
    "TrainingConfig",
    "ValidationConfig",
]


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
        """Hash of the settings that decide: `routing` without `dump_*_as`, and `planning`."""
        return deciding_hash(self.routing.model_dump(mode="json"), self.planning.model_dump(mode="json"))

    @cached_property
    def evidence_hash(self) -> str:
        """Hash of the settings that evidence depends on; part of the cache key."""
        relevant = {"stability_classification", "require_safe_features_only", "allowed_feature_leakage_status"}
        routing = self.routing.model_dump(mode="json", include=relevant)
        return settings_hash(routing, self.data, self.holdout, self.validation, self.leakage)
