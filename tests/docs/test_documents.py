"""The documents say what is so: what they show is run, what they link to is there."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.listening.bot_commands import COMMANDS
from bot.settings import LINEAR_PATH
from ledger.clock import utc_now
from projections.application import Engagements
from tests.support.documents import DOCUMENTS, ROOT, Clock, name_of, parsed, pattern_of, unlike
from tools import reference

YEARS = dt.timedelta(days=5 * 365)

SHOWS = re.compile(r"^```(?:console|python)$", re.MULTILINE)
NEEDS_A_SHELL = {
    "docs/how-to/import-csv.md",
    "docs/how-to/import-git.md",
    "docs/how-to/run-the-bot.md",
}
"""Their commands run as processes of their own, which only know the real time."""

REPORTS = {"docs/trials.md"}
"""They tell what was measured once: nothing to run again, and not what the readme leads to."""

BESIDE_LINEAR = {"docs/tutorial-linear.md"}
"""They need programs that run beside them: `test_linear_tutorial` runs them."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
HOST = re.compile(r"https?://([\w.-]+)")
HOSTS_TO_NAME = {"www.sqlite.org", "api.linear.app", "127.0.0.1"}
ABSOLUTE_PATH = re.compile(r"""(?:^|(?<=[\s"'(=`]))(?:/|~/|[A-Z]:\\)\w[\w.-]*""", re.MULTILINE)
URL_PATHS = {LINEAR_PATH, "/change"}
"""Paths of servers of ours."""
BOTFATHERS = ("newbot", "setprivacy", "setinline", "setinlinefeedback")
"""Commands of the bot that makes bots."""
CODE = [*ROOT.glob("ledger/**/*.py"), *ROOT.glob("projections/**/*.py"), *ROOT.glob("bot/**/*.py")]
RULE = re.compile(r"\bR(\d+)\b")

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)


# --- what a document shows is what happens -------------------------------------------------------


def with_examples() -> list[Path]:
    shown = (path for path in DOCUMENTS if name_of(path) not in REPORTS | BESIDE_LINEAR)
    return [path for path in shown if SHOWS.search(path.read_text())]


def in_years() -> dt.datetime:
    return utc_now() + YEARS


def evaluate(path: Path, clock: Clock) -> None:
    """Run what a document shows; a ledger that it leaves open is closed."""
    document = parsed(path, clock)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        for each in document.namespace.values():
            if isinstance(each, Engagements):
                each.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, without any setting of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in reference.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("path", with_examples(), ids=name_of)
def test_what_a_document_shows_is_what_happens(path):
    evaluate(path, utc_now)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "path", [path for path in with_examples() if name_of(path) not in NEEDS_A_SHELL], ids=name_of
)
def test_it_still_happens_in_five_years(path):
    evaluate(path, in_years)


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ("recorded", "recorded\n"),
        ("at … o'clock", "at 12 o'clock"),
        ("first\n…", "first\n2\n3"),
        ("…\nlast", "1\n2\nlast"),
        ("", ""),
        ("padded", "padded   \n\n"),
    ],
)
def test_an_output_is_like_what_is_shown(shown, output):
    assert unlike(shown, output, 0) is None


@pytest.mark.parametrize(
    ("shown", "output", "code"),
    [
        ("recorded", "refused", 0),
        ("one", "one\ntwo", 0),
        ("one\ntwo", "one", 0),
        ("at … o'clock", "at 12\n o'clock", 0),
        ("first\n…\nlast", "first\nmiddle", 0),
        ("", "something", 0),
        ("recorded", "recorded", 1),
        ("error: no", "error: no", 0),
    ],
)
def test_an_output_is_unlike_what_is_shown(shown, output, code):
    assert unlike(shown, output, code) is not None


def test_a_pattern_takes_everything_else_literally():
    assert pattern_of("(0.4 × …) [a+b]*").fullmatch("(0.4 × 1) [a+b]*\n")
    assert not pattern_of("a+").fullmatch("aa\n")


# --- what a document names is there --------------------------------------------------------------


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The fragments that the document's headings can be reached by."""
    return {reference.anchor(heading) for heading in HEADING.findall(prose(path))}


def broken_links(path: Path) -> Iterator[str]:
    for link in LINK.findall(prose(path)):
        target, _, fragment = link.partition("#")
        if HOST.match(link):
            continue
        to = (path.parent / target).resolve() if target else path
        is_there = to.is_relative_to(ROOT) and to.exists()
        if not is_there or (fragment and fragment not in anchors(to)):
            yield link


@every_document
def test_every_link_leads_somewhere(path):
    assert list(broken_links(path)) == []


def test_every_document_can_be_reached_from_the_readme():
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached or path.suffix != ".md" or not path.exists():
            continue
        reached.add(path)
        links = (link.partition("#")[0] for link in LINK.findall(prose(path)))
        waiting += [(path.parent / link).resolve() for link in links if link and ":" not in link]
    assert {name_of(path) for path in DOCUMENTS if path not in reached} <= REPORTS


@every_document
def test_no_document_names_a_path_or_a_host_of_a_machine(path):
    text = path.read_text()
    commands = {f"/{name}" for name in (*COMMANDS, *BOTFATHERS)}
    assert {path.rstrip(".") for path in ABSOLUTE_PATH.findall(text)} <= commands | URL_PATHS
    assert set(HOST.findall(text)) <= HOSTS_TO_NAME


def test_every_rule_that_the_code_cites_is_explained():
    cited = {rule for path in CODE for rule in RULE.findall(path.read_text())}
    assert cited <= set(reference.rules())


def test_every_decision_has_its_number_and_is_short():
    decisions = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    numbers = [path.name.partition("-")[0] for path in decisions]
    assert numbers == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    assert [path.name for path in decisions if len(path.read_text().splitlines()) > 40] == []


# --- what is generated is in step ----------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_the_references_are_in_step_with_the_code():
    stale = [
        name
        for name, text in reference.references().items()
        if not (ROOT / name).exists() or (ROOT / name).read_text() != text
    ]
    assert stale == [], "`.venv/bin/python -m tools.reference` writes them again"
