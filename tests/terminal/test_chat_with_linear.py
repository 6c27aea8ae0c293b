"""A newcomer's first card: the local Linear in one shell, `make run` in another."""

from pathlib import Path

from bot.linear.demo import LocalLinear, invented
from ledger.clock import utc_now
from tests.support.command_line import CommandLine
from tests.support.linear_server import serving

ROOT = Path(__file__).parents[2]
RUN = ("run", "--or-chat")


def test_make_run_runs_the_command_of_these_tests():
    assert f"@$(BIN)/engagement {' '.join(RUN)}\n" in (ROOT / "Makefile").read_text()


def test_without_accounts_the_settings_of_the_demo_lead_to_real_cards(tmp_path):
    cli = CommandLine(tmp_path)
    with serving(LocalLinear(invented(utc_now()), utc_now)) as served:
        cli.settings |= served.settings
        done = cli.forked(*RUN, stdin=b"How is AI-1799?\nWEB-7 and DMD-480\n")
    assert done.code == 0
    assert "Answers cite pages that have moved" in done.out
    assert "Pictures jump while the" in done.out
    assert "One search box for all so" in done.out
    assert served.local.key not in done.out + done.err
