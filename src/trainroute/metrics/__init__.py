"""Concordance, its intervals, and what a group of measurements says about its members."""

from trainroute.metrics.concordance import (
    GroupedConcordance,
    concordance,
    grouped_concordance,
    multiclass_concordance,
)

__all__ = ["GroupedConcordance", "concordance", "grouped_concordance", "multiclass_concordance"]
