"""Modules of a package that are imported when they are first asked for by their name (PEP 562)."""

from collections.abc import Callable, Collection
from importlib import import_module
from types import ModuleType


def lazy_modules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """Return the `__getattr__` of a package that imports the modules of these names."""

    def imported(name: str) -> ModuleType:
        if name in names:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return imported
