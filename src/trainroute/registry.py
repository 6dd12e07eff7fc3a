"""Find the members of a package: one file each, no list kept by hand.

A model family, a leak check or a feature group is a concrete subclass of a base class, defined in a module of a
known package. Adding one means adding a file; nothing else is edited.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Generic, TypeVar

from trainroute.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """The concrete subclasses of ``base`` that the modules of ``package`` define.

    Parameters
    ----------
    kind : str
        What a member is called in messages, e.g. ``"model family"``.
    package : str
        Dotted name of the package whose modules are searched, once, at first use.
    base : type
        The abstract base class. Every concrete subclass has a class attribute ``name``.
    entry_point_group : str, optional
        Other distributions add members by entry points of this group; each names a module or a class.
    """

    def __init__(self, kind: str, package: str, base: type[T], *, entry_point_group: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self.base = base
        self.entry_point_group = entry_point_group

    @cached_property
    def _members(self) -> dict[str, type[T]]:
        found: dict[str, type[T]] = {}
        for member in (*self._packaged(), *self._installed()):
            name = _name(member)
            if name.casefold() in {known.casefold() for known in found}:
                raise ValueError(f"two members of {self.package} are named {name!r}")
            found[name] = member
        return dict(sorted(found.items()))

    @cached_property
    def _by_folded_name(self) -> dict[str, type[T]]:
        return {name.casefold(): member for name, member in self._members.items()}

    def _packaged(self) -> Iterator[type[T]]:
        root = importlib.import_module(self.package)
        for info in pkgutil.iter_modules(root.__path__):
            yield from self._defined_in(importlib.import_module(f"{self.package}.{info.name}"))

    def _installed(self) -> Iterator[type[T]]:
        if self.entry_point_group is None:
            return
        for entry in sorted(entry_points(group=self.entry_point_group), key=lambda entry: (entry.name, entry.value)):
            loaded = entry.load()
            if isinstance(loaded, ModuleType):
                yield from self._defined_in(loaded)
            elif inspect.isclass(loaded) and issubclass(loaded, self.base) and not inspect.isabstract(loaded):
                yield loaded
            else:
                raise TypeError(f"entry point {entry.name!r} of {self.entry_point_group} is not a {self.kind}")

    def _defined_in(self, module: ModuleType) -> Iterator[type[T]]:
        for _, member in inspect.getmembers(module, inspect.isclass):
            defined_here = member.__module__ == module.__name__
            if defined_here and issubclass(member, self.base) and not inspect.isabstract(member):
                yield member

    def names(self) -> tuple[str, ...]:
        """Return the names of all members, sorted."""
        return tuple(self._members)

    def members(self) -> tuple[type[T], ...]:
        """Return all members, sorted by name."""
        return tuple(self._members.values())

    def get(self, name: str) -> type[T]:
        """Return the member of that name, whatever its case.

        Raises
        ------
        UnknownNameError
            If there is none; the message suggests the nearest.
        """
        found = self._by_folded_name.get(name.casefold())
        if found is None:
            raise UnknownNameError(self.kind, name, self._members)
        return found


def _name(member: type) -> str:
    name = getattr(member, "name", None)
    if not isinstance(name, str):
        raise TypeError(f"{member.__qualname__} needs a class attribute 'name' of type str")
    return name
