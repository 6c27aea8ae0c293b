"""Links by an admin: without a proof, one to one, and the newest in force."""

import pytest

from tests.support.command_line import CommandLine
from tests.support.observations import uuid


def test_an_admin_links_and_unlinks(cli: CommandLine):
    cli("record", "1001", "AI-1", "query")
    assert cli("link", "1001", uuid(1).upper()).out == f"linked: 1001 is {uuid(1)} in Linear\n"
    done = cli("link", "1002", uuid(1), "--json")
    assert done.json == {"user_id": "1002", "linear_id": uuid(1), "former": "1001"}
    done = cli("link", "1001", uuid(1))
    assert done.out.endswith("1002 is no longer linked to that Linear user\n")
    assert cli("unlink", "1001").out == "unlinked\n"
    assert cli("unlink", "1001", "--json").json == {"unlinked": False}
    assert cli("verify").code == 0


def test_a_linked_user_who_is_forgotten_is_linked_no_more(cli: CommandLine):
    cli("link", "1001", uuid(1))
    assert cli("forget", "1001", "--yes").code == 0
    assert cli("link", "1002", uuid(1), "--json").json["former"] is None


@pytest.mark.parametrize(
    ("user", "linear_id", "named"),
    [
        ("1001", "amara", "linear_user_id"),
        ("1001", "AI-1", "linear_user_id"),
        (f"linear:{uuid(2)}", uuid(1), "user_id"),
    ],
)
def test_what_cannot_be_linked_is_refused_in_one_line(cli: CommandLine, user, linear_id, named):
    done = cli("link", user, linear_id)
    assert (done.code != 0, len(done.errors)) == (True, 1)
    assert named in done.err
