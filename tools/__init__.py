"""Tools that are no tests: what generates the reference, and what checks the locks."""
