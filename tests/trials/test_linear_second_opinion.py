"""Look-ups against an independent emulator of Linear.

The emulator does not have every field that our documents ask for, and refuses a document that asks
for one. Such a field is left out here, and `MISSING` says which ones: any other one is a failure.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from graphql import (
    REMOVE,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_introspection_query,
    parse,
    print_ast,
    visit,
)

from bot.linear.client import Connection, Linear
from bot.linear.decoding import Failed, Reason, Response, Setup
from bot.linear.documents import Request, requests_for_many
from bot.linear.issue import Absent, Answer, Found, Issue
from bot.settings import Secret
from ledger.instants import Instant
from tests.support.linear_door import HOST, free_port
from tests.support.trials.counts import tell

BACKLOT = shutil.which("backlot")

pytestmark = pytest.mark.skipif(
    BACKLOT is None, reason="backlot is not on the path: install it in a venv of its own"
)

ALL = Request("{ issues(first: 50) { nodes { identifier } } }")
TRAP = {"or": [{"team": {"key": {"eq": "ENG"}}, "number": {"in": [103]}}]}
MISSING = {"Issue.stateHistory", "User.organization"}
"""Fields of cards and of `doctor` that the emulator does not have."""
BEGINNING = Instant(0)

Steps = Callable[["Narrowed", Linear], Awaitable[None]]


class _Unknown(Visitor):
    """Leaves out the fields that a schema does not have, and notes them."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.left_out: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> Any:
        """Remove a field without a definition; what is in it goes with it."""
        if self._info.get_field_def() is not None:
            return None
        self.left_out.add(f"{self._info.get_parent_type()}.{node.name.value}")
        return REMOVE


class Narrowed(Connection):
    """A connection that asks for nothing that the emulator lacks, and counts its requests."""

    def __init__(self, url: str, key: Secret, schema: GraphQLSchema) -> None:
        super().__init__(url, key)
        self._schema = schema
        self.left_out: set[str] = set()
        self.count = 0

    async def send(self, request: Request) -> Response | Failed:
        self.count += 1
        info = TypeInfo(self._schema)
        unknown = _Unknown(info)
        narrowed = visit(parse(request.query), TypeInfoVisitor(info, unknown))
        self.left_out |= unknown.left_out
        return await super().send(msgspec.structs.replace(request, query=print_ast(narrowed)))


class Emulator:
    """The emulator while it runs."""

    def __init__(self, url: str, key: Secret) -> None:
        self.url = url
        self._key = key

    def run(self, steps: Steps, key: Secret | None = None) -> None:
        """Run `steps` with a connection and a client; nothing is left out but `MISSING`."""

        async def opened() -> None:
            async with self._connected(key or self._key) as connection:
                await steps(connection, Linear(connection))
                assert connection.left_out <= MISSING

        asyncio.run(opened())

    @asynccontextmanager
    async def _connected(self, key: Secret) -> AsyncIterator[Narrowed]:
        plain = Connection(self.url, self._key)
        data = (await _json(plain, Request(get_introspection_query())))["data"]
        await plain.close()
        connection = Narrowed(self.url, key, build_client_schema(data))
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Start the emulator on its own corpus, on the loopback and without telemetry."""
    folder = tmp_path_factory.mktemp("backlot")
    environment = os.environ | {"BACKLOT_DATA_DIR": str(folder), "DO_NOT_TRACK": "1"}
    subprocess.run(
        [str(BACKLOT), "import", "--bundled"], env=environment, check=True, capture_output=True
    )
    key = re.findall(r"token: (usr-\S+)", (folder / "tokens.yaml").read_text())[0]
    port = str(free_port())
    command = (str(BACKLOT), "serve", "--host", HOST, "--port", port, "--disable-telemetry")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as served:
        try:
            assert served.stderr is not None
            assert any(b"running on" in line for line in served.stderr)
            yield Emulator(f"http://{HOST}:{port}/linear/graphql", Secret(key))
        finally:
            served.terminate()


def test_every_issue_is_found_and_no_other_in_as_few_requests(emulator):
    async def steps(connection: Narrowed, linear: Linear) -> None:
        keys = await _identifiers(connection, ALL)
        assert len(keys) > 10
        connection.count = 0
        answers = await linear.look_up([*keys, "ENG-9999", "ZZZ-1"])
        found = [each for each in answers.values() if isinstance(each, Found)]
        assert [each.issue.identifier for each in found] == keys
        assert all(each.issue.title and each.issue.url for each in found)
        assert answers["ENG-9999"] == answers["ZZZ-1"] == Absent()
        assert connection.count == 1 + 2
        assert connection.left_out == {"Issue.stateHistory"}
        tell(f"{len(keys)} issues, without {', '.join(connection.left_out)}")

    emulator.run(steps)


def test_one_issue_is_found_by_its_own_request_as_in_a_batch(emulator):
    async def steps(connection: Narrowed, linear: Linear) -> None:
        keys = (await _identifiers(connection, ALL))[:3]
        batch = await linear.look_up(keys)
        for key in keys:
            alone = await Linear(connection).look_up([key])
            assert _found(alone[key]) == _found(batch[key])

    emulator.run(steps)


def test_what_changed_is_read_page_by_page_to_the_last_issue(emulator):
    async def steps(connection: Narrowed, linear: Linear) -> None:
        keys, read, after = await _identifiers(connection, ALL), list[str](), None
        while page := await linear.changed_since(BEGINNING, after):
            assert not isinstance(page, Failed)
            read += [each.identifier for each in page.issues]
            after = page.after
            if after is None:
                break
        assert sorted(read) == sorted(keys)

    emulator.run(steps)


def test_the_owner_of_the_key_and_the_teams_are_named(emulator):
    async def steps(connection: Narrowed, linear: Linear) -> None:
        setup, _ = await linear.setup()
        assert isinstance(setup, Setup)
        assert setup.person
        teams = {key.partition("-")[0] for key in await _identifiers(connection, ALL)}
        assert teams <= {team.key for team in setup.teams}

    emulator.run(steps)


def test_another_key_is_refused(emulator):
    async def steps(_: Narrowed, linear: Linear) -> None:
        assert (await linear.setup())[0] == Failed(Reason.KEY_REFUSED)

    emulator.run(steps, Secret("lin_api_of_nobody"))


def test_a_planted_filter_with_two_keys_in_an_entry_brings_the_whole_team(emulator):
    async def steps(connection: Narrowed, _: Linear) -> None:
        (right,) = requests_for_many(["ENG-103"])
        assert await _identifiers(connection, right) == ["ENG-103"]
        planted = Request(right.query, {"filter": TRAP, "first": 50})
        assert len(await _identifiers(connection, planted)) > 1

    emulator.run(steps)


def _found(answer: Answer) -> Issue:
    assert isinstance(answer, Found)
    return answer.issue


async def _identifiers(connection: Connection, request: Request) -> list[str]:
    nodes = (await _json(connection, request))["data"]["issues"]["nodes"]
    return [node["identifier"] for node in nodes]


async def _json(connection: Connection, request: Request) -> Any:
    response = await connection.send(request)
    assert isinstance(response, Response)
    return json.loads(response.body)
