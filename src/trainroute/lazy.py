"""Names of a package that are imported when they are asked for, so that importing the package costs nothing."""

from collections.abc import Callable, Mapping
from importlib import import_module


def imported_when_asked(module: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module that gives names of other modules.

    Parameters
    ----------
    module : str
        Its ``__name__``.
    homes : mapping of str to str
        For each name the module that defines it. None may be called as a module of the package itself is.
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return find
