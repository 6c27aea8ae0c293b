"""Errors in the form that Linear gives them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from graphql import GraphQLError

INPUT_ERROR = "INPUT_ERROR"


class Refused(NamedTuple):
    """An answer without data: its HTTP status and its one error."""

    status: HTTPStatus
    message: str
    code: str
    type: str = "invalid input"

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"errors": [{"message": self.message, "extensions": extensions(self)}]}


NO_KEY = Refused(
    HTTPStatus.UNAUTHORIZED,
    "Authentication required, not authenticated",
    "AUTHENTICATION_ERROR",
    "authentication error",
)
LIMITED = Refused(HTTPStatus.BAD_REQUEST, "Rate limit exceeded", "RATELIMITED", "ratelimited")
TOO_COMPLEX = Refused(HTTPStatus.BAD_REQUEST, "Query too complex", INPUT_ERROR)
HAS_NULL = Refused(HTTPStatus.BAD_REQUEST, "A comparator is null", "INVALID_INPUT")
TOO_MANY = Refused(HTTPStatus.BAD_REQUEST, "first is more than 250", INPUT_ERROR)
NO_REQUEST = Refused(HTTPStatus.BAD_REQUEST, "This is no GraphQL request", "BAD_REQUEST")


def invalid(message: str) -> Refused:
    """Return the answer to a document that the schema does not allow."""
    return Refused(HTTPStatus.BAD_REQUEST, message, "GRAPHQL_VALIDATION_FAILED", "graphql error")


def extensions(refused: Refused) -> dict[str, Any]:
    """Return what stands in an error beside its message."""
    return {
        "type": refused.type,
        "code": refused.code,
        "statusCode": refused.status.value,
        "userError": True,
        "userPresentableMessage": refused.message,
    }


def not_found(entity: str) -> GraphQLError:
    """Return the error for an id of nothing, or of nothing that the key may read."""
    return GraphQLError(
        f"Entity not found: {entity}",
        extensions={
            "type": "invalid input",
            "code": INPUT_ERROR,
            "statusCode": HTTPStatus.BAD_REQUEST.value,
            "userError": True,
            "userPresentableMessage": f"Could not find referenced {entity}.",
        },
    )


def described(error: GraphQLError) -> Mapping[str, Any]:
    """Return an error of a field as Linear describes it: without its place in the document."""
    extended = error.extensions or {"type": "internal error", "code": "INTERNAL_SERVER_ERROR"}
    return {"message": error.message, "path": error.path, "extensions": extended}
