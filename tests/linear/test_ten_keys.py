"""Messages with ten keys: two requests at most, and one more for each that no issue has now."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bot.linear.demo.workspace import Invented, Workspace, empty
from bot.linear.issue import Absent, Found
from ledger.instants import moment_of
from tests.support.linear_client_and_server import ClientAndServer, run_with_server
from tests.support.strategies import NOON

TEN, BATCHES_AT_MOST = 10, 2
PRESENT = [f"{team}-{number}" for team in ("AI", "WEB") for number in range(1, 11)]
FORMER = {f"OLD-{number}": f"AI-{number}" for number in range(1, 6)}
HIDDEN = [f"OPS-{number}" for number in range(1, 6)]
UNKNOWN = [f"AI-{number}" for number in range(901, 904)] + ["NONE-1", "NONE-2"]

Keys = st.lists(
    st.sampled_from([*PRESENT, *FORMER, *HIDDEN, *UNKNOWN]), min_size=TEN, max_size=TEN, unique=True
)


def world() -> Workspace:
    workspace = empty()
    for team, visibility in (("AI", "public"), ("WEB", "public"), ("OPS", "private")):
        workspace.add_team(team, visibility)
    former = {present: (old,) for old, present in FORMER.items()}
    for key in (*PRESENT, *HIDDEN):
        workspace.add(Invented(key, "A title", formerly=former.get(key, ())), moment_of(NOON))
    return workspace


class Counted(NamedTuple):
    """The identifier of each issue that was found, and the number of requests."""

    found: dict[str, str | None]
    requests: int


def counted(keys: list[str]) -> Counted:
    async def steps(pair: ClientAndServer) -> Counted:
        answers = await pair.linear.look_up(keys)
        assert all(isinstance(each, Found | Absent) for each in answers.values())
        found = {
            key: each.issue.identifier if isinstance(each, Found) else None
            for key, each in answers.items()
        }
        return Counted(found, pair.count)

    done: Counted = run_with_server(steps, world())
    return done


def test_ten_present_keys_are_two_requests_at_most():
    done = counted(PRESENT[5:15])
    assert done.found == {key: key for key in PRESENT[5:15]}
    assert done.requests <= BATCHES_AT_MOST


def test_a_former_key_among_ten_is_one_request_more():
    done = counted([*PRESENT[:8], "OLD-1", "OLD-4"])
    assert (done.found["OLD-1"], done.found["OLD-4"]) == ("AI-1", "AI-4")
    assert done.requests <= BATCHES_AT_MOST + 2


def test_an_unknown_key_among_ten_is_one_request_more_as_a_hidden_one_is():
    unknown, hidden = counted([*PRESENT[:8], *UNKNOWN[:2]]), counted([*PRESENT[:8], *HIDDEN[:2]])
    assert unknown.requests == hidden.requests <= BATCHES_AT_MOST + 2
    assert list(unknown.found.values()) == list(hidden.found.values()) == [*PRESENT[:8], None, None]


@given(Keys)
def test_any_ten_keys_are_answered_within_as_many_requests(keys):
    done = counted(keys)
    assert done.found == {key: key if key in PRESENT else FORMER.get(key) for key in keys}
    assert done.requests <= BATCHES_AT_MOST + sum(key not in PRESENT for key in keys)
