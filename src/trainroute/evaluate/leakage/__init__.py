"""Leak checks: one file each, found by the registry; `quarantine` turns their findings into what models may see."""

from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.evaluate.leakage.quarantine import Quarantine, quarantine
from trainroute.registry import Registry

LEAK_CHECKS: Registry[LeakCheck] = Registry(
    "leak check",
    "trainroute.evaluate.leakage",
    LeakCheck,  # type: ignore[type-abstract]  # the registry lists its concrete subclasses
)

__all__ = ["LEAK_CHECKS", "LeakCheck", "LeakContext", "Quarantine", "quarantine"]
