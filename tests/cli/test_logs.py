"""Logs: our own records are logged, and of a library's only the constant part."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.cli.logs import TALKATIVE, configure_logs, handler_for

CANARY = "canary-7391"


class Told:
    """Two loggers, a library's and one of ours, and what is written of them."""

    def __init__(self, handler: logging.Handler, stream: io.StringIO) -> None:
        self.handler = handler
        self.stream = stream
        self.foreign = self.logger("somelibrary.network")
        self.own = self.logger("bot.telegram.test")

    def logger(self, name: str) -> logging.Logger:
        """A logger of that name that is used nowhere else."""
        logger = logging.Logger(name, logging.DEBUG)  # noqa: LOG001 - no test is to leave one
        logger.addHandler(self.handler)
        return logger

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def told() -> Iterator[Told]:
    levels = {name: logging.getLogger(name).level for name in TALKATIVE}
    stream = io.StringIO()
    yield Told(handler_for(stream), stream)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class Talkative:
    """A value that tells everything by its representation."""

    def __repr__(self) -> str:
        return f"{CANARY} %s"


def raised(logger: logging.Logger, *message: object) -> None:
    try:
        raise ValueError(CANARY) from OSError(CANARY)  # noqa: TRY301 - to be caught at once
    except ValueError:
        logger.exception(*message)


TELLING: dict[str, Callable[[logging.Logger], None]] = {
    "argument": lambda log: log.warning("updated %s", CANARY),
    "arguments": lambda log: log.error("%r and %d", Talkative(), 1),
    "mapping": lambda log: log.warning("%(what)s", {"what": CANARY}),
    "f-string": lambda log: log.warning(f"updated {CANARY}"),  # noqa: G004 - what is tested
    "text": lambda log: log.error("updated " + CANARY),  # noqa: G003 - what is tested
    "object": lambda log: log.warning(Talkative()),
    "object-with-arguments": lambda log: log.warning(Talkative(), 1),
    "exception": lambda log: raised(log, "it failed"),
    "exception-with-arguments": lambda log: raised(log, "it failed with %s", CANARY),
    "stack": lambda log: log.warning("at %s", CANARY, stack_info=True),
    "extra": lambda log: log.warning("at %s", 1, extra={"token": CANARY, "url": CANARY}),
    "extra-only": lambda log: log.warning("at", extra={"token": CANARY}),
    "critical": lambda log: log.critical("%s", CANARY),
    "percent": lambda log: log.warning("100%% of %s", CANARY),
}


@pytest.mark.parametrize("say", TELLING.values(), ids=TELLING)
def test_nothing_that_a_library_logs_about_gets_through(told, say):
    say(told.foreign)
    assert CANARY not in told.text
    (record,) = told.records
    assert record["logger"] == "somelibrary.network"


@pytest.mark.parametrize("say", TELLING.values(), ids=TELLING)
def test_the_same_in_our_own_words_is_told(told, say):
    # The planted fault: if a library counted as ours, all of it would be logged.
    say(told.own)
    assert CANARY in told.text


def test_of_a_librarys_record_stay_its_fixed_text_and_the_type_of_its_error(told):
    raised(told.foreign, "100%% of %s failed", CANARY)
    (record,) = told.records
    assert (record["event"], record["error"]) == ("100%% of %s failed", "ValueError")
    assert record["level"] == "error"


def test_a_text_without_arguments_may_be_put_together_so_its_place_is_told_instead(told):
    told.foreign.warning("anything at all")
    (record,) = told.records
    assert record["event"].startswith(
        "test_a_text_without_arguments_may_be_put_together_so_its_place_is_told_instead, line "
    )


@pytest.mark.parametrize("say", ["debug", "info"])
def test_what_a_library_does_is_not_told_at_all(told, say):
    getattr(told.foreign, say)("GET %s", CANARY)
    assert not told.text


def test_our_own_records_are_told_from_the_lowest_level_on(told):
    told.own.debug("spool waits", extra={"error": "LedgerUnavailableError"})
    (record,) = told.records
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "spool waits",
        "level": "debug",
        "logger": "bot.telegram.test",
        "error": "LedgerUnavailableError",
    }


@pytest.mark.parametrize("name", ["bot", "ledger", "projections", "ledger.store.database"])
def test_the_three_packages_are_ours(told, name):
    logger = told.logger(name)
    logger.info("said %s", CANARY)
    assert CANARY in told.text


@pytest.mark.parametrize("name", ["bottle", "root", "ledgers.x", "telegram.bot", "x.bot"])
def test_a_name_that_only_sounds_like_ours_is_none(told, name):
    logger = told.logger(name)
    logger.info("said %s", CANARY)
    logger.warning("said %s", CANARY)
    assert CANARY not in told.text


def test_talkative_libraries_are_quieted_at_their_source(told):
    for name in TALKATIVE:
        assert not logging.getLogger(f"{name}.anything").isEnabledFor(logging.INFO)


def test_logs_go_to_stderr_from_the_configured_level_on(monkeypatch):
    stream = io.StringIO()
    root = logging.Logger("bot")  # noqa: LOG001 - it stands in for the real one
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs("warning")
    root.info("told quietly")
    root.warning("told aloud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["told aloud"]
