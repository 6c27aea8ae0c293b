"""Executing documents over a workspace: validation, complexity, filters, errors."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    execute_sync,
    parse,
    validate,
)

from bot.linear.demo import errors
from bot.linear.demo.errors import Refused, described, not_found
from bot.linear.demo.filters import holds_null, lets_through
from bot.linear.demo.workspace import PAGE, Node, Workspace
from bot.linear.schema.checks import RULES
from bot.linear.schema.files import OURS, schema_of

PAGE_AT_MOST = 250
COMPLEXITY_AT_MOST = 10_000
CONNECTIONS = frozenset({"issues", "teams", "stateHistory", "inverseRelations", "labels"})

Variables = Mapping[str, Any]


class Executed(NamedTuple):
    """An answer's JSON, and what it cost."""

    body: dict[str, Any]
    complexity: int


class Executor:
    """Answers documents from `workspace`; it takes none that is wrong, or falls into a trap."""

    def __init__(self, workspace: Workspace) -> None:
        """Read the schema."""
        self.workspace = workspace
        self._schema = schema_of(OURS)

    def execute(self, query: str, variables: Variables) -> Executed | Refused:
        """Answer `query`, or refuse it."""
        document = self.read(query)
        if isinstance(document, Refused):
            return document
        if holds_null(variables.get("filter", {})):
            return errors.HAS_NULL
        if isinstance(first := variables.get("first"), int) and first > PAGE_AT_MOST:
            return errors.TOO_MANY
        cost = complexity(document, variables)
        if cost > COMPLEXITY_AT_MOST:
            return errors.TOO_COMPLEX
        return Executed(_body(self._result(document, variables)), cost)

    def read(self, query: str) -> DocumentNode | Refused:
        """Return the document of a valid `query`."""
        try:
            document = parse(query)
        except GraphQLError as error:
            return errors.invalid(error.message)
        # An unknown id among aliases must be met as Linear answers it, so that rule is left out.
        found = validate(self._schema, document, RULES[:-2])
        return errors.invalid(found[0].message) if found else document

    def _result(self, document: DocumentNode, variables: Variables) -> ExecutionResult:
        roots = {
            "issue": self._issue,
            "issues": self._issues,
            "teams": self._teams,
            "viewer": self.workspace.viewer,
        }
        return execute_sync(self._schema, document, roots, variable_values=dict(variables))

    def _issue(self, _: object, id: str) -> Node:  # noqa: A002 - Linear's name
        found = self.workspace.find(id)
        if found is None:
            raise not_found("Issue")
        return found

    def _issues(
        self,
        _: object,
        filter: Variables | None = None,  # noqa: A002 - Linear's name
        first: int = PAGE,
        after: str | None = None,
        includeArchived: bool = False,  # noqa: FBT001, FBT002, N803 - Linear's name
        orderBy: str = "updatedAt",  # noqa: N803 - Linear's name
    ) -> Node:
        """Return a page of issues, the latest update first; nothing here asks for another order."""
        del orderBy
        found = [
            each
            for each in self.workspace.seen_issues
            if (includeArchived or each["archivedAt"] is None) and lets_through(filter or {}, each)
        ]
        found.sort(key=_updated, reverse=True)
        start = 1 + [each["id"] for each in found].index(after) if after is not None else 0
        page = found[start : start + first]
        has_more = len(found) > start + first
        ends_with = page[-1]["id"] if page else None
        return {"nodes": page, "pageInfo": {"hasNextPage": has_more, "endCursor": ends_with}}

    def _teams(self, _: object, first: int = PAGE) -> Node:
        teams = self.workspace.seen_teams
        return {"nodes": teams[:first], "pageInfo": {"hasNextPage": len(teams) > first}}


def complexity(document: DocumentNode, variables: Variables) -> int:
    """Return the points of a document: 0.1 a property, 1 an object, a connection times `first`."""
    fragments = {
        each.name.value: each.selection_set
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }

    def points(selections: SelectionSetNode) -> float:
        total = 0.0
        for each in selections.selections:
            if isinstance(each, FragmentSpreadNode):
                total += points(fragments[each.name.value])
            elif isinstance(each, FieldNode):
                total += of_field(each)
        return total

    def of_field(field: FieldNode) -> float:
        if field.selection_set is None:
            return 0.1
        inner = 1 + points(field.selection_set)
        return inner * _first(field, variables) if field.name.value in CONNECTIONS else inner

    operations = (
        each for each in document.definitions if isinstance(each, OperationDefinitionNode)
    )
    return math.ceil(sum(points(each.selection_set) for each in operations))


def _first(field: FieldNode, variables: Variables) -> int:
    for argument in field.arguments or ():
        if argument.name.value in {"first", "last"}:
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                return _whole(variables.get(argument.value.name.value))
    return PAGE


def _whole(value: object) -> int:
    return value if isinstance(value, int) else PAGE


def _body(result: ExecutionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [described(each) for each in result.errors]
    return body


def _updated(issue: Node) -> str:
    updated: str = issue["updatedAt"]
    return updated
