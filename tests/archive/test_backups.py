"""Backups: a copy of the database, then one of its archive, is the ledger, in all circumstances."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from ledger.errors import MissingSegmentError
from tests.support.sealed_ledgers import NEED_NONE, NEED_SEGMENTS, USERS, fill, opened, record
from tests.support.strategies import Clock

COMPARED = {
    name: question
    for name, question in (NEED_SEGMENTS | NEED_NONE).items()
    if name not in {"merge", "compact", "replay"}
}


@pytest.mark.parametrize("meanwhile", ["nothing", "record", "compact", "merge"])
def test_a_backup_answers_as_the_ledger_did(tmp_path, meanwhile):
    clock, copy = Clock(), tmp_path / "copy"
    copy.mkdir()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        before = {name: question(engagements) for name, question in COMPARED.items()}
        history = [list(engagements.questions.history(user)) for user in USERS]
        with closing(sqlite3.connect(f"file:{tmp_path}/ledger.db?mode=ro", uri=True)) as database:
            database.execute("VACUUM INTO ?", (f"{copy}/ledger.db",))
        if meanwhile == "record":
            record(engagements, 7)
        elif meanwhile != "nothing":
            NEED_SEGMENTS[meanwhile](engagements)
        shutil.copytree(engagements.ledger.archive.folder, copy / "ledger.db.archive")
    with opened(copy, clock) as restored:
        assert {name: question(restored) for name, question in COMPARED.items()} == before
        assert [list(restored.questions.history(user)) for user in USERS] == history
        assert restored.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        record(restored, 0)  # what was counted is not counted again
        assert [list(restored.questions.history(user)) for user in USERS] == history


def test_a_backup_without_its_archive_says_what_it_lacks(tmp_path):
    clock, copy = Clock(), tmp_path / "copy"
    copy.mkdir()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
    shutil.copy(tmp_path / "ledger.db", copy)
    with opened(copy, clock) as restored:
        assert len(restored.questions.top("ana")) == 3
        with pytest.raises(MissingSegmentError, match="is missing; it held 6 events"):
            list(restored.questions.history("ana"))
