"""The group of commands that import histories."""

import click

from bot.cli.lazy_group import LazyGroup, Listed


@click.group("import", cls=LazyGroup)
def imports() -> None:
    """Import a history from elsewhere.

    Doing it again adds nothing.
    """


for name, place, summary in (
    ("csv", "import_csv:import_csv", "Import FILE, plain or gzipped, or - for standard input."),
    (
        "git",
        "import_git:import_git",
        "Import the commits of the repository in DIR that name issues.",
    ),
    (
        "telegram",
        "import_telegram:import_telegram",
        "Import FILE, a JSON export from Telegram Desktop, or - for standard input.",
    ),
):
    imports.add_command(Listed(name, f"bot.cli.{place}", summary))
