"""Routing candidates of a finished measurement."""

from trainroute.stages import MetricsAggregator

__all__ = ["MetricsAggregator"]
