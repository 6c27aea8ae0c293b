"""Schema files: ours, and newer ones that Linear has published."""

import gzip
from pathlib import Path

from graphql import GraphQLError, GraphQLSchema, build_schema

from ledger.errors import LedgerError

OURS = Path(__file__).with_name("linear.graphql")


class SchemaError(LedgerError):
    """A file holds no schema that can be read."""


def schema_of(path: Path) -> GraphQLSchema:
    """Return the schema that a file, which may be compressed by gzip, describes in SDL."""
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        return build_schema(text.decode(), assume_valid=True, assume_valid_sdl=True)
    except (GraphQLError, TypeError, UnicodeDecodeError, EOFError, gzip.BadGzipFile):
        # Its own message may quote any part of the file.
        raise SchemaError(f"{path} is no schema in GraphQL's SDL") from None
