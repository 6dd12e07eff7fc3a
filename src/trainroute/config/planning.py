"""The settings that turn routes into jobs."""

from typing import Annotated

from pydantic import Field, field_validator

from trainroute.config.section import Count, Section


class PlanningConfig(Section):
    """Which families a job gets, in which order jobs run, and who may teach the pool."""

    standard_families: Annotated[tuple[str, ...], Field(min_length=1)] = ("LightGBM", "XGBoost", "Ensemble")
    """The short list that `trainroute run` and `trainroute train` use: minutes on a laptop."""
    experimental_families: tuple[str, ...] = ("LightGBM",)
    """Experimental jobs get only these, of the ones asked for."""
    family_min_priority: dict[str, Count] = Field(default_factory=dict)
    """A family named here trains only jobs of at least this priority (600 strong pooled … 100 experimental local)."""
    short_symbols_teach_pool: bool = True
    """Symbols too short for their own model still lend their rows to the pooled one."""
    local_symbols_teach_pool: bool = True
    """Symbols routed SYMBOL_SPECIFIC still lend their rows to the pooled model."""

    @field_validator("family_min_priority")
    @classmethod
    def _once(cls, priorities: dict[str, int]) -> dict[str, int]:
        if len({name.casefold() for name in priorities}) < len(priorities):
            raise ValueError("a family stands there twice; keep one")
        return priorities
