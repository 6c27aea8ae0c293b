"""Our part of Linear's schema, read from its file, and what does not fit it or Linear's own."""

from bot.extras import extra

with extra("linear-demo"):
    from bot.linear.schema.checks import complaints, differences
    from bot.linear.schema.files import OURS, SchemaError, schema_of

__all__ = ["OURS", "SchemaError", "complaints", "differences", "schema_of"]
