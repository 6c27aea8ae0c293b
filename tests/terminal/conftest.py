"""A command line on a fresh folder for every test."""

from tests.cli.conftest import cli

__all__ = ["cli"]
