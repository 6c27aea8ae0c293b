"""The report in headless Chromium: no message on the console, and no request."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.trials.counts import FULL, real_history

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
ELSEWHERE = ("http://", "https://", "ws://", "wss://", "ftp://")
HISTORY = "kafka" if FULL else "tika"
OF_THE_BROWSER = "not an origin"
PATIENCE_SECONDS = 120

needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")


def opened(page: Path, work: Path) -> tuple[list[str], list[str]]:
    """The messages of the page on the console, and its requests."""
    log = work / "net.json"
    done = subprocess.run(
        [
            str(BROWSER),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *("--disable-background-networking", "--disable-component-update"),
            *(f"--user-data-dir={work / 'profile'}", f"--log-net-log={log}"),
            *(f"--screenshot={work / 'page.png'}", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return said, _requests(json.loads(log.read_text()))


def _requests(log: dict[str, Any]) -> list[str]:
    """The addresses that the page requested, without those that the browser requests by itself."""
    started = [each["params"] for each in log["events"] if "initiator" in each.get("params", {})]
    urls = {each["url"] for each in started if each["initiator"] != OF_THE_BROWSER}
    return sorted(url for url in urls if url.startswith(ELSEWHERE))


@needs_a_browser
def test_the_checks_see_an_error_and_a_request(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<script>console.error("x")</script><img src="http://127.0.0.1:9/google.png">')
    said, requests = opened(page, tmp_path)
    assert said
    assert requests == ["http://127.0.0.1:9/google.png"]


@needs_a_browser
def test_the_report_of_a_real_history_says_nothing_and_fetches_nothing(cli: CommandLine, tmp_path):
    cli("import", "csv", str(real_history(HISTORY)))
    page = tmp_path / "report.html"
    assert cli("report", "-o", str(page)).code == 0
    assert opened(page, tmp_path) == ([], [])
