"""Train models, by a plan or without one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainroute.compat import train_models_for_interval_comprehensive

__all__ = ["train_models_for_interval_comprehensive"]


def __getattr__(name: str) -> object:
    """Import what this package re-exports when it is asked for, so that ``python -m`` on its module stays quiet."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trainroute import compat

    return getattr(compat, name)
