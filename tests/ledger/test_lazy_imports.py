"""Modules and names are imported when they are first asked for, and unknown ones are refused."""

import sys
from collections.abc import Callable

import pytest

from ledger.lazy_imports import lazy_modules, lazy_names


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is not loaded, of the standard library."""
    monkeypatch.delitem(sys.modules, "email.charset", raising=False)
    return "email.charset"


def test_a_module_is_imported_when_it_is_asked_for(unloaded):
    package, _, name = unloaded.rpartition(".")
    asked = lazy_modules(package, [name])
    assert unloaded not in sys.modules
    assert asked(name) is sys.modules[unloaded]


def test_a_name_is_imported_from_its_module_when_it_is_asked_for(unloaded):
    asked = lazy_names("face", {unloaded: ["Charset", "add_charset"], "json": ["dumps"]})
    assert unloaded not in sys.modules
    assert asked("Charset") is sys.modules[unloaded].Charset


@pytest.mark.parametrize(
    "asked",
    [lazy_modules("email", ["charset"]), lazy_names("email", {"json": ["dumps"]})],
    ids=["modules", "names"],
)
def test_an_unknown_name_is_an_attribute_error_that_names_the_package(
    asked: Callable[[str], object],
):
    with pytest.raises(AttributeError, match="module 'email' has no attribute 'planted'"):
        asked("planted")
