"""The public faces of the packages: complete, documented, and what documents and bot use."""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import pytest

from ledger.observations import Observation
from ledger.store.append import Entry
from tests.test_house import PURE

ROOT = Path(__file__).parents[1]
FACES = ("engagement_ledger", "ledger", "projections", "bot")
APPLICATIONS = ("ledger.application", "projections.application")
KITS = ("projections.application.testing",)
"""Modules whose names are of use in tests alone, and so are imported from there."""

DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *ROOT.glob("docs/how-to/*.md")]
REFERENCE = "\n".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))

DEFINED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Use(NamedTuple):
    """A name of one of the packages, and the module that it is taken from."""

    where: str
    module: str
    name: str


def tree_of(module: str) -> ast.Module:
    file = importlib.import_module(module).__file__
    assert file is not None
    return ast.parse(Path(file).read_text())


def imports_in(where: str, tree: ast.AST) -> Iterator[Use]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and of_ours(node.module):
            yield from (Use(where, node.module, each.name) for each in node.names)
        if isinstance(node, ast.Import):
            yield from (Use(where, each.name, "*") for each in node.names if of_ours(each.name))


def of_ours(module: str) -> bool:
    return module.partition(".")[0] in FACES


# --- every name of a face is there, documented, and in the reference -----------------------------


def names_of(module: str) -> list[str]:
    names: list[str] = importlib.import_module(module).__all__
    return names


def docstring_of(module: str, name: str) -> str | None:
    """The docstring of a class or function, or the string below a constant, in its own module."""
    tree = tree_of(module)
    home = next((each.module for each in imports_in(module, tree) if each.name == name), None)
    if home is not None:
        return docstring_of(home, name)
    for node, below in pairwise([*tree.body, ast.Pass()]):
        if isinstance(node, DEFINED) and node.name == name:
            return ast.get_docstring(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.get_docstring(ast.Module([below], []))
    return None


@pytest.mark.parametrize("module", [*FACES, *APPLICATIONS])
def test_every_name_is_there_and_no_name_twice(module):
    names = names_of(module)
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(importlib.import_module(module), name)] == []


@pytest.mark.parametrize("module", [*FACES, *APPLICATIONS])
def test_type_checkers_see_the_names_that_are_there(module):
    body = tree_of(module).body
    typed = next(node for node in body if isinstance(node, ast.If))
    seen = {each.name for each in imports_in(module, typed)}
    made = {each.name for each in body if isinstance(each, ast.FunctionDef)}
    assert seen == set(names_of(module)) - made


@pytest.mark.parametrize("module", [*FACES, *APPLICATIONS])
def test_every_name_has_a_docstring(module):
    assert [name for name in names_of(module) if not docstring_of(module, name)] == []


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_is_in_the_reference(face):
    assert unexplained(names_of(face), REFERENCE) == []


def unexplained(names: Iterable[str], reference: str) -> list[str]:
    """The names that have neither a chapter nor a line in the list of errors."""
    explained = set(re.findall(r"^(?:### |\s*- `)(\w+)", reference, re.MULTILINE))
    return [name for name in names if name not in explained]


def test_a_planted_name_that_the_reference_lacks_is_found():
    assert unexplained(["Engagements", "Planted"], REFERENCE) == ["Planted"]
    assert unexplained(["Engagements"], REFERENCE.replace("### Engagements\n", "")) != []


MADE_BY_METHODS = {
    "Decision": "Adjustments.override",
    "Hiding": "Adjustments.hide",
    "Adoption": "PolicyHistory.adopt",
}
"""Entries of which programs call the method, since only that checks what the ledger cannot."""


def test_a_face_has_every_entry_that_the_ledger_records_unless_a_method_makes_it():
    entries = {each.__name__ for each in get_args(Entry)}
    assert entries - set(names_of("ledger")) == set(MADE_BY_METHODS)
    projections = importlib.import_module("projections")
    for owner, method in (each.split(".") for each in MADE_BY_METHODS.values()):
        assert callable(getattr(getattr(projections, owner), method))


def test_a_face_has_the_parts_of_an_observation():
    parts = {each.type for each in msgspec.structs.fields(Observation)}
    found = {each for part in parts for each in structs_in(part)}
    assert {each.__name__ for each in found} == {"Person", "Text"}
    assert {each.__name__ for each in found} <= set(names_of("ledger"))


def structs_in(annotation: Any) -> set[type]:
    """The structs that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return {annotation}
    return {found for part in get_args(annotation) for found in structs_in(part)}


# --- what the documents use is in a face ---------------------------------------------------------

_IMPORT = re.compile(
    r"^(?:>>> )?((?:from|import) \w[\w.]*(?: import (?:\([^)]*\)|.*))?)$", re.MULTILINE
)
_CALL = re.compile(r"`[^`\n]*?(?<![\w.])((?:ledger|projections|bot)(?:\.\w+)*)\.(\w+)\(")
"""A call in inline code, such as `ledger.environment()`."""


def uses_in(where: str, text: str) -> Iterator[Use]:
    for line in _IMPORT.findall(text):
        yield from imports_in(where, ast.parse(line))
    yield from (Use(where, module, name) for module, name in _CALL.findall(text))


def hidden(uses: Iterable[Use]) -> list[Use]:
    """The uses of names that no face, application or kit offers."""
    offered = {module: set(names_of(module)) for module in (*FACES, *APPLICATIONS)}
    return [
        each
        for each in uses
        if each.module not in KITS and each.name not in offered.get(each.module, ())
    ]


def used_by_documents() -> list[Use]:
    return [use for path in DOCUMENTS for use in uses_in(path.name, path.read_text())]


def test_the_documents_use_names_of_the_faces_alone():
    uses = used_by_documents()
    assert {each.module for each in uses} >= {"ledger", "projections", "bot"}
    assert hidden(uses) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from ledger import Planted", "Planted"),
        ("from ledger.store.append import Receipt", "Receipt"),
        ("from projections import (\n    Engagements,\n    Planted,\n)", "Planted"),
        (">>> from bot import Planted", "Planted"),
        ("say `bot.settings.settings_of(values)`", "settings_of"),
    ],
)
def test_a_planted_use_of_a_name_that_is_in_no_face_is_found(text, name):
    assert [each.name for each in hidden(uses_in("planted", text))] == [name]


def test_a_name_that_a_face_loses_is_found(monkeypatch):
    ledger = importlib.import_module("ledger")
    monkeypatch.setattr(ledger, "__all__", [each for each in ledger.__all__ if each != "SourceKey"])
    assert {each.name for each in hidden(used_by_documents())} == {"SourceKey"}


# --- what the bot uses is in an application or pure ----------------------------------------------


def used_by_bot() -> list[Use]:
    files = (ROOT / "bot").rglob("*.py")
    return [
        use
        for path in files
        for use in imports_in(path.name, ast.parse(path.read_text()))
        if use.module.partition(".")[0] in {"ledger", "projections"}
    ]


def not_offered(uses: Iterable[Use]) -> list[Use]:
    """The uses of private names, and of modules that are neither pure nor an application."""
    impure = [each for each in uses if each.module not in PURE]
    private = [each for each in uses if each.name.startswith("_")]
    return hidden(impure) + private


def test_the_bot_uses_what_the_applications_offer_and_public_names_of_pure_modules():
    assert not_offered(used_by_bot()) == []


def test_a_planted_use_that_no_application_offers_is_found():
    planted = [
        Use("planted", "ledger.application", "Planted"),
        Use("planted", "ledger.store.append", "Appender"),
        Use("planted", "ledger.application.ledger", "LedgerMapper"),
        Use("planted", "ledger.instants", "_EPOCH"),
    ]
    assert not_offered([*used_by_bot(), *planted]) == planted
