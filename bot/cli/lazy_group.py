"""A group that imports a command when it is chosen, and lists all commands without that."""

from importlib import import_module

import click


class Listed(click.Command):
    """A command as the group's help and the shell's completion list it."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        """`place` is `module:attribute`, and `summary` how the command's own help begins."""
        super().__init__(name, help=summary)
        self._place = place

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self._place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """A group of listed commands; only the one that the arguments choose is imported."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return what click does, with the command itself in place of the listed one."""
        name, command, left = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, left
