"""Rows are read by names: no module reads a column of a row by its number."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ledger", "projections")
"""Those whose rows have names."""

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def number_of(node: ast.expr | None) -> int | None:
    """The number that an expression writes out, if it does."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return None


class NumberedColumns(ast.NodeVisitor):
    """Finds the lines that read a row by number.

    What is a row is decided by how it is named: as one, or in a loop, a comprehension or a lambda
    of the same function, or not at all, as what `fetchone` returns. The second of anything has a
    name, too; only the first and the last of a list may go without.
    """

    def __init__(self) -> None:
        self.lines: list[int] = []
        self._elements: set[str] = set()

    def visit_Module(self, node: ast.Module) -> None:
        self._visit_scope(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_scope(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        match node.slice:
            case ast.Slice(lower=lower, upper=upper):
                is_numbered = any(number_of(each) is not None for each in (lower, upper))
                is_numbered = is_numbered and self._is_row(node.value)
            case index:
                number = number_of(index)
                is_end = number in {0, -1} and not self._is_row(node.value)
                is_numbered = number is not None and not is_end
        self._note(node, is_numbered)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        is_numbered = any(number_of(each) is not None for each in node.args)
        self._note(node, name == "itemgetter" and is_numbered)

    def _visit_scope(self, node: Scope) -> None:
        outside, self._elements = self._elements, set(elements_in(node))
        self.generic_visit(node)
        self._elements = outside

    def _is_row(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name.endswith("row") or name in self._elements
            case ast.Call(func=ast.Attribute(attr="fetchone")):
                return True
            case ast.Subscript(slice=index):
                return number_of(index) is not None
        return False

    def _note(self, node: ast.Subscript | ast.Call, is_numbered: bool) -> None:
        if is_numbered:
            self.lines.append(node.lineno)
        self.generic_visit(node)


def elements_in(scope: Scope) -> Iterator[str]:
    """The names that loops, comprehensions and lambdas of a function bind."""
    within = [*ast.iter_child_nodes(scope)]
    while within:
        node = within.pop()
        match node:
            case ast.For(target=target) | ast.comprehension(target=target):
                yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
            case ast.Lambda(args=arguments):
                yield from (each.arg for each in arguments.args)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within += ast.iter_child_nodes(node)


def numbered(source: str) -> list[int]:
    """The lines of a module that read a row by number."""
    found = NumberedColumns()
    found.visit(ast.parse(source))
    return sorted(found.lines)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_row_is_read_by_number(package):
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    found = {
        f"{path.relative_to(ROOT)}:{line}" for path in paths for line in numbered(path.read_text())
    }
    assert found == set(), "give the row a type, or unpack it"


@pytest.mark.parametrize(
    "planted",
    [
        "topic = row[3]",
        "last = row[-1]",
        "position = row[0]",
        "kept = row[:-1]",
        "originator, said = stored_row[0], stored_row[1:]",
        "highest = statement.run(connection).fetchone()[0]",
        "account = found[1]",
        "positions = [each[0] for each in values]",
        "ranges = {each[:2] for each in retired}",
        "found.sort(key=lambda pair: pair[0])",
        "for stored in found:\n    known.add(stored[0])",
        "first = rows[0][0]",
        "by_account = groupby(rows, key=itemgetter(0))",
        "by_place = groupby(rows, key=operator.itemgetter(0, 1))",
        "score = self.row[6]",
    ],
)
def test_a_row_that_is_read_by_number_is_found(planted):
    assert numbered(planted)


@pytest.mark.parametrize(
    "allowed",
    [
        "position, topic = row",
        "*values, written = row",
        "oldest, latest = segments[0], segments[-1]",
        "text = message.splitlines()[0]",
        "begun = texts[1:]",
        "shown = topic[:40]",
        "name = row['topic']",
        "value = row[column]",
        "by_account = groupby(rows, key=attrgetter('account'))",
        "first = next(iter(rows))",
        "short = {topic: 1 for topic in topics}\ndef f(topic):\n    return topic[:40]",
    ],
)
def test_other_uses_of_numbers_are_not(allowed):
    assert numbered(allowed) == []
