"""Candidates to decisions."""

from trainroute.records.vocabulary import LeakageStatus, RouteState, SignalState, StabilityCategory
from trainroute.stages import TrainingRouter

__all__ = ["LeakageStatus", "RouteState", "SignalState", "StabilityCategory", "TrainingRouter"]
