"""Lazy imports of a package's modules or names, by a module-level `__getattr__` (PEP 562)."""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def lazy_modules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """A `__getattr__` for a package that imports the module of each name on first use."""

    def imported(name: str) -> ModuleType:
        if name in names:
            return import_module(f"{package}.{name}")
        raise _missing(package, name)

    return imported


def lazy_names(package: str, homes: Mapping[str, Collection[str]]) -> Callable[[str], Any]:
    """A `__getattr__` for a package that imports each name from its module on first use.

    `homes` has the names by module.
    """
    module_of = {name: module for module, names in homes.items() for name in names}

    def imported(name: str) -> Any:  # noqa: ANN401 - PEP 562
        if name in module_of:
            return getattr(import_module(module_of[name]), name)
        raise _missing(package, name)

    return imported


def _missing(package: str, name: str) -> AttributeError:
    return AttributeError(f"module {package!r} has no attribute {name!r}")
