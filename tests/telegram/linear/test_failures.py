"""Any failure of Linear in a conversation: an answer, one log line, and no word of the key."""

import json

from bot.linear.client import connection
from bot.linear.line import Line
from tests.support.linear_failures import CANARY, FAILURES

NO_ANSWER = "AI-1799: Linear does not answer now; ask again in a minute\n"


def test_each_failure_is_an_answer_and_one_log_line(driver, linear, monkeypatch, log):
    monkeypatch.setattr(connection, "BODY_LIMIT", 150_000)
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    driver.settle()
    for number, (name, failure) in enumerate(FAILURES.items()):
        driver.bot._linear._line = Line()  # else it is asked once a minute
        linear.local.script.append(failure)
        before = len(log.getvalue())
        assert driver.answer(ana, "AI-1799").text.startswith(NO_ANSWER), name
        assert not linear.local.script, name
        lines = map(json.loads, log.getvalue()[before:].splitlines())
        told = [each["event"] for each in lines if each["level"] in {"warning", "error"}]
        assert told == ["Linear not read"], name
        assert driver.recorded(ana) == {("AI-1799", "query"): number + 1}
    said = "\n".join(each.text for each in driver.api.sent_to(ana))
    for word in (linear.local.key, CANARY):
        assert word not in said + log.getvalue()
