"""Bars to features and targets. Features are known at a bar's close; a label starts at the next bar."""

from trainroute.panel.prepare.build import PrepareSummary, prepare
from trainroute.panel.prepare.recipe import recompute_features

__all__ = ["PrepareSummary", "prepare", "recompute_features"]
