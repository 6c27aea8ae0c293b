"""Faults of documents by a schema, and differences between our schema and Linear's."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NoDeprecatedCustomRule,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)

Fields = Mapping[str, Any]


class OneIssuePerRequest(ValidationRule):
    """No aliases of `issue`: it is never null, so one unknown id would empty the whole answer."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Count the fields `issue` at the root, in fragments too."""
        if self._issues_in(node.selection_set) > 1:
            self.report_error(GraphQLError("more than one `issue` in a request", node))

    def _issues_in(self, selections: SelectionSetNode | None) -> int:
        return sum(map(self._issues_of, selections.selections)) if selections else 0

    def _issues_of(self, node: SelectionNode) -> int:
        if isinstance(node, FieldNode):
            return int(node.name.value == "issue")
        if isinstance(node, FragmentSpreadNode):
            fragment = self.context.get_fragment(node.name.value)
            return self._issues_in(fragment.selection_set) if fragment else 0
        return self._issues_in(node.selection_set) if isinstance(node, InlineFragmentNode) else 0


class OneKeyPerAlternative(ValidationRule):
    """One key in an entry of `or`: Linear reads several as alternatives."""

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> None:
        """Count the keys of each entry."""
        entries = getattr(node.value, "values", (node.value,)) if node.name.value == "or" else ()
        for each in entries:
            if isinstance(each, ObjectValueNode) and len(each.fields) > 1:
                self.report_error(GraphQLError("several keys in an entry of `or`", node))


RULES = (*specified_rules, NoDeprecatedCustomRule, OneIssuePerRequest, OneKeyPerAlternative)


def complaints(schema: GraphQLSchema, documents: Mapping[str, str]) -> list[str]:
    """The faults of `documents`, each with its name."""
    return [f"{name}: {each}" for name, text in documents.items() for each in _wrong(schema, text)]


def _wrong(schema: GraphQLSchema, text: str) -> list[str]:
    try:
        return [error.message for error in validate(schema, parse(text), RULES)]
    except GraphQLError as error:
        return [error.message]


def several_keys_in_or(value: object) -> bool:
    """Whether a filter that is sent as a variable has an entry of `or` with several keys."""
    if isinstance(value, dict):
        entries = value.get("or", [])
        return any(len(each) > 1 for each in entries) or any(
            map(several_keys_in_or, value.values())
        )
    return isinstance(value, list) and any(map(several_keys_in_or, value))


def differences(ours: GraphQLSchema, theirs: GraphQLSchema) -> list[str]:
    """Return where `ours` is no part of `theirs`: types, fields, arguments, what may be null."""
    return [
        each
        for name, type_ in ours.type_map.items()
        if not name.startswith("__")
        for each in _differences_of(name, type_, theirs.type_map.get(name))
    ]


def _differences_of(
    name: str, ours: GraphQLNamedType, theirs: GraphQLNamedType | None
) -> Iterator[str]:
    if theirs is None or type(ours) is not type(theirs):
        yield f"{name}: there is no such {type(ours).__name__.removeprefix('GraphQL')}"
        return
    there = _fields(theirs)
    for field, described in _fields(ours).items():
        if field not in there:
            yield f"{name}.{field}: there is no such field"
            continue
        yield from _differences_of_field(f"{name}.{field}", described, there[field])


def _differences_of_field(name: str, ours: Any, theirs: Any) -> Iterator[str]:  # noqa: ANN401 - a field or a value of an enum
    if str(getattr(ours, "type", "")) != str(getattr(theirs, "type", "")):
        yield f"{name}: is {ours.type} here and {theirs.type} there"
    here, there = getattr(ours, "args", {}), getattr(theirs, "args", {})
    for argument, described in here.items():
        if argument not in there or str(described.type) != str(there[argument].type):
            yield f"{name}({argument}): there is no such argument of type {described.type}"


def _fields(type_: GraphQLNamedType) -> Fields:
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        fields: Fields = type_.fields
        return fields
    values: Fields = getattr(type_, "values", {})
    return values
