"""The imports of starting a command, in separate processes: never more than it needs."""

import json
import re
import sys

import click
import pytest
from click.testing import CliRunner

from bot.cli.main import Listed, engagement, imports
from tests.support.command_line import CommandLine, CompletedCommand

LIBRARIES = {
    "eventsourcing",
    "jinja2",
    "matplotlib",
    "numpy",
    "pyarrow",
    "regex",
    "rich.console",
    "sqlalchemy",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "structlog",
    "telegram",
}
ASKING = {"eventsourcing", "sqlalchemy"}
"""The modules that opening a ledger needs."""

IMPORTED = """
import atexit, sys
atexit.register(lambda: print("\\0" + " ".join(sys.modules), file=sys.stderr))
from engagement_ledger import main
sys.argv[0] = "engagement"
main()
"""


def started(
    cli: CommandLine, *arguments: str, **settings: str
) -> tuple[CompletedCommand, set[str]]:
    """The output of a command, and the libraries that were imported at its end."""
    cli.settings |= settings
    done = cli.process(*arguments, program=(sys.executable, "-c", IMPORTED))
    said, _, modules = done.err.rpartition("\0")
    return CompletedCommand(done.code, done.out, said), LIBRARIES & set(modules.split())


@pytest.fixture
def ana(cli):
    cli("record", "ana", "AI-1799", "query")
    return cli


WITHOUT_LEDGER = {
    "--help": 0,
    "--version": 0,
    "": 2,
    "tpo": 2,
    "--jsn": 2,
    "top": 2,
    "top --limt 3": 2,
    "record ana AI-1": 2,
    "import csv": 2,
    **{f"{name} --help": 0 for name in engagement.commands},
    **{f"import {name} --help": 0 for name in imports.commands},
}
"""Commands that end before a ledger is opened, and their exit codes."""

ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
from engagement_ledger import main
done = {}
for words in json.loads(sys.stdin.read()):
    sys.argv = ["engagement", *words.split()]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            done[words] = end.code, list(sys.modules)
print(json.dumps(done))
"""
"""Prints the exit code of each command, and the modules that it and those before have imported."""


def ended(cli: CommandLine, imported_before: str = "") -> dict[str, tuple[int, set[str]]]:
    """The exit codes of those commands, and the libraries that were imported by then."""
    program = (sys.executable, "-c", f"{imported_before}{ONE_AFTER_ANOTHER}")
    done = cli.process(program=program, stdin=json.dumps([*WITHOUT_LEDGER]).encode())
    return {words: (code, LIBRARIES & set(names)) for words, (code, names) in done.json.items()}


def test_help_and_usage_errors_import_no_library_of_the_ledger(cli):
    of_bars = {"rich.console"}  # for progress
    found = {words: (code, more - of_bars) for words, (code, more) in ended(cli).items()}
    assert found == {words: (code, set()) for words, code in WITHOUT_LEDGER.items()}


@pytest.mark.parametrize("words", ["engagement ", "engagement t", "engagement top --"])
def test_completion_imports_no_library_of_the_ledger(cli, words):
    *before, last = words.split(" ")
    settings = {
        "_ENGAGEMENT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(before)),
    }
    done, imported = started(cli, **settings)
    offered = [line.partition(",")[2] for line in done.out.splitlines()]
    assert {"top": "top" in offered, "--limit": "--limit" in offered} == {
        "top": not last.startswith("-"),
        "--limit": last.startswith("-"),
    }
    assert imported == set()


@pytest.mark.parametrize(
    "words",
    [
        "record ana AI-1799 view",
        "record bob AI-480 view --at yesterday --key 1",
        "set-score ana AI-1799 0.5",
        "top ana",
        "top ana --json",
        "score ana AI-1799",
        "stats ana",
        "engagements ana",
        "users",
    ],
)
def test_recording_and_asking_import_what_opens_a_ledger_and_no_more(ana, words):
    done, imported = started(ana, *words.split())
    assert (done.code, imported) == (0, ASKING)


@pytest.mark.parametrize(
    ("words", "code"), [("record ana AI-1799 view", 0), ("init", 0), ("top ana", 1)]
)
def test_where_there_is_no_ledger_yet_nothing_more_is_imported(cli, words, code):
    done, imported = started(cli, *words.split())
    assert (done.code, imported) == (code, ASKING)


LOOKED_THROUGH = """
import atexit, gc
atexit.register(lambda: print(len(gc.get_objects())))
from engagement_ledger import main
main()
"""


def test_no_cycles_are_looked_for_at_the_end(ana):
    program = (sys.executable, "-c", LOOKED_THROUGH)
    *_, objects = ana.process("top", "ana", program=program).out.split()
    assert int(objects) < 1_000  # of a hundred thousand: looking took a sixth of the whole


def test_what_a_planted_import_adds_is_seen(cli):
    assert all("numpy" in more for _, more in ended(cli, "import numpy").values())
    program = (sys.executable, "-c", IMPORTED.replace("import atexit", "import atexit, numpy"))
    assert "numpy" in cli.process("--help", program=program).err.rpartition("\0")[2].split()


def loaded(group: click.Group) -> click.Group:
    """The group with its commands themselves in place of the listed ones."""
    commands = [each.load() for each in group.commands.values() if isinstance(each, Listed)]
    return click.Group(group.name, commands, params=group.params, help=group.help)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("group", [engagement, imports], ids=["engagement", "import"])
def test_help_lists_what_the_commands_say_themselves(group, width):
    assert all(isinstance(each, Listed) for each in group.commands.values())
    said, meant = (
        CliRunner().invoke(each, ["--help"], max_content_width=width, terminal_width=width).output
        for each in (group, loaded(group))
    )
    below = r"Commands:\n(.*)"
    assert re.findall(below, said, re.DOTALL) == re.findall(below, meant, re.DOTALL) != []


@pytest.mark.parametrize(
    ("words", "nearest"), [(["tpo"], "top"), (["recrod"], "record"), (["import", "cvs"], "csv")]
)
def test_an_unknown_command_is_named_with_the_nearest_one(cli, words, nearest):
    done = cli(*words)
    assert done.code == 2
    assert re.fullmatch(rf".*'{words[-1]}'.*{nearest}.*", done.errors[0])
