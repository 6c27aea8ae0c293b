"""Reading a history where what helps with it fails: the temporary folder, and git."""

import io
from contextlib import closing

import pytest

from ledger.errors import UnreadableHistoryError
from ledger.intake import history
from ledger.intake.git_history import _Mailmap
from ledger.intake.history import Ordinals


def test_a_temporary_folder_without_room_ends_the_reading(monkeypatch):
    monkeypatch.setattr(history, "COUNTED_IN_MEMORY", 1_000)
    with closing(Ordinals()) as counted:
        counted._disk.execute("PRAGMA max_page_count=2")
        with pytest.raises(UnreadableHistoryError, match=r"in the temporary folder: .* full"):
            assert not any(counted.next(b"%d" % number) for number in range(1_000))


class Closed(io.BytesIO):
    """A pipe that git no longer reads from."""

    def write(self, _: object) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stdin", [Closed(), io.BytesIO()], ids=["closed", "unanswered"])
def test_a_mailmap_that_ends_early_ends_the_reading(stdin):
    mailmap = _Mailmap(stdin, io.BytesIO())
    with pytest.raises(UnreadableHistoryError, match="ended early"):
        list(mailmap.contacts("Ana <ana@example.org>"))
