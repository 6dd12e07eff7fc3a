"""Concordance, its intervals, and what a group of measurements says about its members."""

from trainroute.metrics.comparing import opinion_pool, p_exceeds
from trainroute.metrics.concordance import (
    GroupedConcordance,
    concordance,
    grouped_concordance,
    multiclass_concordance,
    task_concordance,
)
from trainroute.metrics.effective import effective_windows, non_overlapping_events
from trainroute.metrics.group_prior import GroupPrior
from trainroute.metrics.group_reading import GroupPosterior
from trainroute.metrics.intervals import (
    MIN_BLOCKS,
    Interval,
    assign_time_blocks,
    block_length,
    block_totals,
    degrees_of_freedom,
    interval,
    intervals,
    standard_errors,
)
from trainroute.metrics.shrinkage import common_standard_error, group_posterior

__all__ = [
    "MIN_BLOCKS",
    "GroupPosterior",
    "GroupPrior",
    "GroupedConcordance",
    "Interval",
    "assign_time_blocks",
    "block_length",
    "block_totals",
    "common_standard_error",
    "concordance",
    "degrees_of_freedom",
    "effective_windows",
    "group_posterior",
    "grouped_concordance",
    "interval",
    "intervals",
    "multiclass_concordance",
    "non_overlapping_events",
    "opinion_pool",
    "p_exceeds",
    "standard_errors",
    "task_concordance",
]
