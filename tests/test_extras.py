"""A plain `pip install .` works without the extras, and features that need one name it."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bot.extras import EXTRAS, MissingExtraError, extra
from bot.telegram import doors, serve
from tests.support import wheels
from tests.support.wheels import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = (
    "telegram",
    "tornado",
    "apscheduler",
    "aiohttp",
    "aiolimiter",
    "graphql",
    "httpx",
    "matplotlib",
    "PIL",
    "jinja2",
    "duckdb",
)
"""The packages of the extras."""

BLOCKED = f"""
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""

COMMANDS = """
import contextlib, io, json
from engagement_ledger import main

def run(*arguments):
    sys.argv = ["engagement", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            return [end.code or 0, out.getvalue(), err.getvalue()]

print(json.dumps([run(*each) for each in json.loads(sys.stdin.read())]))
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is in the wheel, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("installed")
    wheels.install(wheels.build(ROOT, folder), "--target", folder / "target")
    return folder / "target"


def python(target: Path, folder: Path, program: str, given: str = "") -> str:
    """The output of a program that finds the installed packages, but none of the extras."""
    names = ("ENGAGEMENT", "TELEGRAM")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + program],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(target), "TELEGRAM_BOT_TOKEN": "1:token"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run(target, tmp_path):
    """Runs commands, and returns the exit code and both outputs of each."""

    def run(*commands: str) -> list[tuple[int, str, str]]:
        given = json.dumps([command.split() for command in commands])
        return [tuple(each) for each in json.loads(python(target, tmp_path, COMMANDS, given))]

    return run


def test_the_command_line_records_and_answers(run):
    helped, _, recorded, top = run("--help", "init", "record ana AI-1799 query", "top ana")
    assert helped[0] == 0
    assert "record" in helped[1]
    assert recorded[:2] == (0, "recorded: query of AI-1799, position 1\n")
    assert (top[0], "AI-1799" in top[1]) == (0, True)


OTHER_COMMANDS = """
init
record ana AI-1799 query --key chat-1:7
score ana AI-1799
stats ana
engagements ana
history ana
set-score ana AI-1799 0.5
explain ana AI-1799
explain ana --top
timeline ana
policy show
policy history
policy try pin_hours=8
policy adopt pin_hours=8
users
compact --all
archive list
archive check
replay
verify
doctor
clock
export ana --output ana.zip
forget ana --yes
"""


def test_every_command_but_those_of_extras_works(run):
    commands = OTHER_COMMANDS.split("\n")[1:-1]
    for command, (code, _, err) in zip(commands, run(*commands), strict=True):
        assert (code, err) == (0, ""), command


ASKED = {
    "run": "telegram",
    "chat": "telegram",
    "timeline ana AI-1799 --png chart.png": "charts",
    "report --output page.html": "reports",
    "archive check --independent": "independent",
    "linear-demo": "linear-demo",
    "linear check-schema engagement-data/ledger.db": "linear-demo",
}


def test_what_is_missing_is_named_in_one_line(run):
    for (code, out, err), name in zip(
        run("init", "record ana AI-1799 query", *ASKED)[2:], ASKED.values(), strict=True
    ):
        needed_by, library, _ = EXTRAS[name]
        assert (code, out) == (1, "")
        expected = f"error: {needed_by} {library}: pip install 'engagement-ledger[{name}]'"
        assert err.splitlines()[-1] == expected


IMPORTED = """
import importlib, json
from bot.extras import MissingExtraError

def outcome(name):
    try:
        importlib.import_module(name)
    except MissingExtraError:
        return "named"
    except ModuleNotFoundError:
        return "missing"
    return "imported"

print(json.dumps({name: outcome(name) for name in json.loads(sys.stdin.read())}))
"""


def test_the_core_imports_nothing_of_the_extras(target, tmp_path):
    files = [path.relative_to(target).with_suffix("") for path in target.glob("*/**/*.py")]
    names = [".".join(file.parts).removesuffix(".__init__") for file in files]
    names = [name for name in names if not name.endswith("__main__")]
    outcomes = json.loads(python(target, tmp_path, IMPORTED, json.dumps(names)))
    assert len(names) > 150
    named = {name for name, outcome in outcomes.items() if outcome == "named"}
    assert {".".join(name.split(".")[:2]) for name in named} == {
        "bot.application",
        "bot.linear",
        "bot.telegram",
        "bot.terminal",
        "bot.webhooks",
    }
    missing = {name for name, outcome in outcomes.items() if outcome == "missing"}
    charts = {"bot.charts.canvas", "bot.charts.ranking_bars", "bot.charts.score_curve"}
    assert missing == {*charts, "projections.read_model.duckdb_check"}


SCHEDULED = """
from bot.jobs import add_engagement_jobs_to_scheduler

class Scheduler:
    def add_job(self, func, trigger, **options):
        print(options["id"])

add_engagement_jobs_to_scheduler(Scheduler())
"""


def test_a_scheduler_of_ones_own_takes_the_jobs(target, tmp_path):
    names = python(target, tmp_path, SCHEDULED).split()
    assert names == ["engagement_decay", "engagement_cleanup"]


def test_the_page_about_embedding_runs(target, tmp_path):
    page = (ROOT / "docs/how-to/embed.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    program = f"{''.join(blocks)}\nimport bot\nprint(bot.__file__)\n"
    assert python(target, tmp_path, program).strip() == str(target / "bot/__init__.py")


def test_a_webhook_without_its_server_is_refused_before_anything_is_asked(monkeypatch):
    monkeypatch.delitem(sys.modules, "bot.webhooks.server", raising=False)
    for name in ("tornado", "tornado.httpserver"):  # as where it is not installed
        monkeypatch.setitem(sys.modules, name, None)
    unused: Any = None
    webhook = doors.Webhook("https://bot.example/", "127.0.0.1", 1)
    with pytest.raises(MissingExtraError, match=r"a webhook needs tornado: .*\[webhook\]"):
        asyncio.run(serve.run(unused, unused, webhook))


# --- extras are named rightly --------------------------------------------------------------------


def test_the_extras_are_those_of_the_project():
    declared = PYPROJECT["project"]["optional-dependencies"]
    assert declared.keys() == EXTRAS.keys()
    for name, each in EXTRAS.items():
        assert any(line.startswith(each.library) for line in declared[name])


@pytest.mark.parametrize("name", EXTRAS)
def test_only_the_library_of_an_extra_is_taken_for_missing(name):
    module = EXTRAS[name].module
    with pytest.raises(MissingExtraError, match=rf"engagement-ledger\[{name}\]"), extra(name):
        raise ModuleNotFoundError(name=f"{module}.part")
    for other in ("other", f"{module}s", None):
        with pytest.raises(ModuleNotFoundError) as raised, extra(name):
            raise ModuleNotFoundError(name=other)
        assert not isinstance(raised.value, MissingExtraError)
