"""Lazy imports of a package's modules, by a module-level `__getattr__` (PEP 562)."""

from collections.abc import Callable, Collection
from importlib import import_module
from types import ModuleType


def lazy_modules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """A `__getattr__` for a package that imports the module of each name on first use."""

    def imported(name: str) -> ModuleType:
        if name in names:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return imported
