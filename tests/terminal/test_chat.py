"""The terminal: the same bot, by a pipe, as a person without a token tries it."""

import datetime as dt
import re
import socket

import pytest

from bot.linear.demo import SECRET, LocalLinear, invented
from bot.terminal.chat import speaker_of
from tests.support.chart_pictures import size_of
from tests.support.command_line import CommandLine
from tests.support.linear_server import serving
from tests.support.telegram.data_exports import exported

NO_BUTTON = "There is no button to press now. Ask for the card or the list again."


def talk(cli: CommandLine, *lines: str, command: tuple[str, ...] = ("chat",)) -> str:
    """The bot's output for these lines; it ends with 0 and without an error."""
    done = cli.forked(*command, stdin="".join(f"{line}\n" for line in lines).encode())
    assert (done.code, done.err) == (0, "")
    return done.out


def answers(shown: str) -> list[str]:
    """The text below each line."""
    return [
        each.partition("\n")[2].strip() for each in re.split(r"^> ", shown, flags=re.MULTILINE)[1:]
    ]


def test_the_first_try_records_two_queries_and_explains_a_score(cli):
    shown = talk(
        cli,
        "What's the status of AI-1799 and DMD-480?",
        "/top",
        "/score AI-1799",
        command=("run", "--or-chat"),
    )
    cards, top, score = answers(shown)
    assert cards.count("score 0.680") == 2
    assert top.splitlines()[1].startswith("1. AI-1799 0.680")
    assert score.splitlines()[1] == (
        "touched once, active today; (0.4 × frequency 0.200 + 0.6 × recency 1.000) × decay 1.000"
    )
    history = cli("history", "1", "--json").json
    assert [(each["issue_id"], each["kind"]) for each in history] == [
        ("AI-1799", "query"),
        ("DMD-480", "query"),
    ]


def test_another_session_goes_on_with_the_same_ledger(cli):
    talk(cli, "AI-1")
    (card,) = answers(talk(cli, "AI-1"))
    assert "2 queries" in card


def test_several_people_talk(cli):
    shown = talk(cli, "@ana: AI-1", "@bob: AI-2", "@Ana: /top", "/top")
    *_, anas, yours = answers(shown)
    assert "AI-1" in anas
    assert "AI-2" not in anas
    assert yours.startswith("You have no issues to rank")


def test_a_number_presses_a_button(cli):
    *_, briefing, card, none, most = answers(talk(cli, "AI-1 and AI-2", "/briefing", "2", "7", "0"))
    assert briefing.splitlines()[-2:] == [
        "  [1] AI-1 · 0.680",
        "  [2] AI-2 · 0.680",
    ]
    assert card.startswith("AI-2 · score 0.760")
    assert card.endswith("  [3] Hide AI-2 from my lists")
    assert none == most == "No button has that number; the last one is 3."


def test_a_button_hides_an_issue_and_shows_it_again(cli):
    *_, hidden, listed, shown, top = answers(talk(cli, "AI-1", "1", "/unhide", "1", "/top"))
    assert hidden.splitlines() == [
        "AI-1 is hidden from your lists. It counts as before; /unhide lists what is hidden.",
        *hidden.splitlines()[1:3],
        "  [1] Show AI-1 in my lists again",
    ]
    assert "hidden from your lists" in hidden.splitlines()[1]
    assert listed.endswith("  [1] AI-1")
    assert shown.startswith("AI-1 is in your lists again.\nNothing is hidden")
    assert "1. AI-1" in top


def test_a_number_without_buttons_says_what_to_do(cli):
    *_, answer = answers(talk(cli, "AI-1", "/top", "1"))
    assert answer == NO_BUTTON


def test_forgetting_works_by_buttons(cli):
    *_, question, done, stats = answers(talk(cli, "AI-1", "/forget", "1", "/stats"))
    assert question.endswith("[2] No")
    assert done.startswith("Done. What was recorded about you")
    assert stats == "Nothing is recorded about you now."


def test_a_button_that_was_answered_presses_nothing(cli):
    *_, kept, number = answers(talk(cli, "AI-1", "/forget", "2", "1"))
    assert kept == "Nothing was deleted."
    assert number == NO_BUTTON


def test_each_user_presses_their_own_buttons(cli):
    lines = ("@ana: AI-1", "@ana: /briefing", "@bob: 1", "@ana: 1")
    *_, bobs, anas = answers(talk(cli, *lines))
    assert bobs == NO_BUTTON
    assert anas.startswith("AI-1 · score 0.760")


def test_charts_and_exports_are_saved_and_named(cli):
    *_, chart, again, export = answers(talk(cli, "AI-1", "/chart AI-1", "/chart AI-1", "/export"))
    saved = cli.home / "saved" / "1"
    assert chart.endswith(f"[saved as {saved / 'AI-1.png'}]")
    assert again.endswith(f"[saved as {saved / 'AI-1-2.png'}]")
    assert size_of((saved / "AI-1.png").read_bytes())[0] >= 1_000
    (path,) = saved.glob("engagement-*.zip")
    assert export.endswith(f"[saved as {path}]")
    assert len(exported(path.read_bytes())) == 1


def test_what_one_person_saved_is_not_overwritten_and_goes_with_their_forget_alone(cli):
    lines = ("AI-1", "@ana: AI-1", "/chart AI-1", "@ana: /chart AI-1", "/export", "@ana: /export")
    talk(cli, *lines)
    files = sorted(path for path in (cli.home / "saved").rglob("*") if path.is_file())
    assert len(files) == 4
    yours = cli.home / "saved" / "1"
    others = [path for path in files if path.parent != yours]
    assert len(others) == 2
    *_, kept = answers(talk(cli, "/forget", "2"))
    assert kept == "Nothing was deleted."
    assert all(path.exists() for path in files)
    *_, done = answers(talk(cli, "/forget", "1"))
    assert done.startswith(f"[deleted, with all files in it: {yours}]\nDone. ")
    assert sorted((cli.home / "saved").rglob("*.*")) == others


@pytest.mark.parametrize(
    "line",
    [
        "\x1b[31mAI-1\x1b[0m",
        "AI-1 \x07\x08",
        "AI-1 \u202e",
        "@ana:",
        "@: AI-1",
        "/",
        "//",
        "<b>",
        "%s {}",
    ],
)
def test_odd_lines_are_survived(cli, line):
    shown = talk(cli, line, "AI-2")
    assert "AI-2 · score 0.680" in answers(shown)[-1]
    assert "\x1b" not in shown


def test_blank_lines_and_no_lines_are_nothing(cli):
    assert answers(talk(cli)) == answers(talk(cli, "", "   ")) == []


def test_bytes_that_are_no_text_are_survived(cli):
    done = cli.process("chat", stdin=b"\xff\xfe AI-1\nAI-2\n")
    assert done.code == 0
    assert "AI-2 · score 0.680" in done.out


@pytest.mark.parametrize(
    ("line", "speaker"),
    [
        ("AI-1", ("you", "AI-1")),
        ("@ana: AI-1", ("ana", "AI-1")),
        ("@Zoë:  hello: you", ("Zoë", "hello: you")),
        ("@ana AI-1", ("you", "@ana AI-1")),
        ("mail@ana: AI-1", ("you", "mail@ana: AI-1")),
    ],
)
def test_a_name_before_a_colon_speaks(line, speaker):
    assert speaker_of(line) == speaker


# --- with Linear ---------------------------------------------------------------------------------


def test_cards_say_what_an_issue_is_and_where_it_can_be_opened(cli):
    now = dt.datetime.now(dt.UTC)
    with serving(LocalLinear(invented(now), lambda: now)) as served:
        cli.settings |= served.settings
        several, card, hidden = answers(talk(cli, "AI-1803 and OPS-3", "1", "3"))
    assert several.splitlines() == [
        "◌ AI-1803 One search box for all so…",
        "Backlog for 90 days · unassigned",
        "",
        "OPS-3: not found in Linear, or I may not see it",
        "  [1] AI-1803",
    ]
    assert card.splitlines() == [
        "AI-1803 One search box for all sources",
        "◌ Backlog for 90 days · unassigned",
        card.splitlines()[2],
        "  Open in Linear: https://linear.example/wattle/issue/AI-1803",
        "  Copy AI-1803: AI-1803",
        "  Copy branch: ai-1803-one-search-box-for-all-sources",
        "  [2] Why?",
        "  [3] Hide AI-1803 from my lists",
    ]
    assert "AI-1803 One search box for all sources" in hidden
    assert "hidden from your lists" in hidden


def test_where_another_bot_takes_the_webhooks_a_chat_says_so_and_goes_on(cli):
    cli.settings["ENGAGEMENT_LINEAR_WEBHOOK_SECRET"] = SECRET
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        shown = talk(cli, "AI-1", command=("chat", "--listen", address))
    assert f"[Linear's webhooks do not come here: cannot listen at {address}: " in shown
    assert "AI-1 · score 0.680" in shown


# --- what cannot be started ----------------------------------------------------------------------


def complaint(cli: CommandLine, *words: str, **settings: str) -> str:
    """The one line that a command ends with."""
    cli.settings.update(settings)
    done = cli.forked(*words)
    assert done.code in {1, 2}
    assert done.out == ""
    (line,) = done.errors
    return line


TOKEN = "123456:a-token-canary"  # noqa: S105 - of no bot


def test_a_bot_needs_a_token(cli):
    assert "TELEGRAM_BOT_TOKEN is not set" in complaint(cli, "run")


@pytest.mark.parametrize("token", ["canary", "canary:1", "12345", ":", "12345:canary canary"])
def test_what_is_no_token_is_an_error_that_does_not_repeat_it(cli, token):
    line = complaint(cli, "run", TELEGRAM_BOT_TOKEN=token)
    assert "TELEGRAM_BOT_TOKEN is not a token" in line
    assert "canary" not in line


def test_a_webhook_without_a_secret_does_not_start(cli):
    words = ("run", "--webhook", "https://bot.example.org/x")
    assert "ENGAGEMENT_WEBHOOK_SECRET" in complaint(cli, *words, TELEGRAM_BOT_TOKEN=TOKEN)


@pytest.mark.parametrize("secret", ["short", "x" * 31, "x" * 257, "ü" * 40, "a b" * 20])
def test_a_secret_that_telegram_or_we_would_not_take_is_refused(cli, secret):
    line = complaint(cli, "run", TELEGRAM_BOT_TOKEN=TOKEN, ENGAGEMENT_WEBHOOK_SECRET=secret)
    assert "must be 32 to 256" in line
    assert secret not in line


@pytest.mark.parametrize(
    "words",
    [
        ("--webhook", "bot.example.org"),
        ("--webhook", "ftp://bot.example.org"),
        ("--webhook", "https://b.example.org", "--listen", "8080"),
        ("--webhook", "https://b.example.org", "--listen", "127.0.0.1:x"),
        ("--webhook", "https://b.example.org", "--listen", "127.0.0.1:99999"),
    ],
)
def test_a_webhook_that_cannot_be_meant_is_refused(cli, words):
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "ENGAGEMENT_WEBHOOK_SECRET": "x" * 32}
    assert "must be a" in complaint(cli, "run", *words, **settings)


def test_a_clock_that_is_far_ahead_is_told_of_in_one_line_and_can_be_confirmed(cli):
    cli("init"), cli("record", "ana", "AI-1", "query")  # by a clock of long ago
    done = cli.forked("chat", stdin=b"/help\n")
    (told,) = (line for line in done.out.splitlines() if line.startswith("The clock says"))
    assert "--clock-is-right" in told
    assert "job not done" in done.err
    assert "The clock says" not in talk(cli, "/help", command=("chat", "--clock-is-right"))
