"""Look-ups against an independent emulator of Linear."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from bot.linear.client import Connection, Linear
from bot.linear.documents import Request, requests_for_many
from bot.linear.issue import Absent, Found
from bot.settings import Secret

BACKLOT = shutil.which("backlot")

pytestmark = pytest.mark.skipif(
    BACKLOT is None, reason="backlot is not on the path: install it in a venv of its own"
)

ALL = Request("{ issues(first: 50) { nodes { identifier } } }")
TRAP = {"or": [{"team": {"key": {"eq": "ENG"}}, "number": {"in": [103]}}]}


class Counted(Connection):
    """A connection that counts its requests."""

    count = 0

    async def send(self, request: Request) -> Any:
        self.count += 1
        return await super().send(request)


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Secret]]:
    """Start the emulator on its own corpus; yield its address and a key."""
    folder = tmp_path_factory.mktemp("backlot")
    environment = os.environ | {"BACKLOT_DATA_DIR": str(folder), "DO_NOT_TRACK": "1"}
    subprocess.run(
        [str(BACKLOT), "import", "--bundled"], env=environment, check=True, capture_output=True
    )
    key = re.findall(r"token: (usr-\S+)", (folder / "tokens.yaml").read_text())[0]
    port = _free_port()
    command = (str(BACKLOT), "serve", "--port", str(port), "--disable-telemetry")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as served:
        assert served.stderr is not None
        assert any(b"running on" in line for line in served.stderr)
        yield f"http://127.0.0.1:{port}/linear/graphql", Secret(key)
        served.terminate()


def test_every_issue_is_found_and_no_other_in_as_few_requests(connect):
    async def steps() -> None:
        connection = Counted(*connect)
        keys = await _identifiers(connection, ALL)
        assert len(keys) > 10
        linear = Linear(connection)
        connection.count = 0
        answers = await linear.look_up([*keys, "ENG-9999", "ZZZ-1"])
        found = [each for each in answers.values() if isinstance(each, Found)]
        assert [each.issue.identifier for each in found] == keys
        assert all(each.issue.title and each.issue.url for each in found)
        assert answers["ENG-9999"] == answers["ZZZ-1"] == Absent()
        assert connection.count == 1 + 2
        await linear.close()

    asyncio.run(steps())


def test_a_planted_filter_with_two_keys_in_an_entry_brings_the_whole_team(connect):
    async def steps() -> None:
        connection = Counted(*connect)
        (right,) = requests_for_many(["ENG-103"])
        assert await _identifiers(connection, right) == ["ENG-103"]
        planted = Request(right.query, {"filter": TRAP, "first": 50})
        assert len(await _identifiers(connection, planted)) > 1
        await connection.close()

    asyncio.run(steps())


async def _identifiers(connection: Connection, request: Request) -> list[str]:
    response: Any = await connection.send(request)
    nodes = json.loads(response.body)["data"]["issues"]["nodes"]
    return [node["identifier"] for node in nodes]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
