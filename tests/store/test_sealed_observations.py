"""Observations that are sealed answer as those that stay hot, and leave only once they are safe."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledger import store
from ledger.archive import parquet, segment_store
from ledger.archive.columns import LAST, STATE
from ledger.commands import interaction_of
from ledger.errors import DamagedSegmentError, LedgerDamagedError, LedgerError
from ledger.events import OBSERVATION, SEALING
from ledger.instants import DAY, Instant, moment_of
from ledger.observations import Person
from ledger.store import compaction
from projections.application import Engagements
from tests.support.observations import DAY_ONE, observation, observations, uuid
from tests.support.sealed_ledgers import segments_of, small_segments
from tests.support.strategies import HOUR, Clock
from tests.support.trials.counts import count

KEYS = [f"AI-{number}" for number in range(1, 5)]
USERS = ("ana", "ben")
BEGUN = Instant(DAY_ONE + DAY)

touches = st.builds(
    interaction_of,
    st.sampled_from(USERS),
    st.sampled_from(KEYS),
    st.sampled_from(["query", "view"]),
)
steps = st.lists(
    st.one_of(
        observations(),
        observations(),
        touches,
        st.tuples(st.integers(1, 4), st.floats(0, 1)),
    ),
    min_size=4,
    max_size=16,
)
"""Observations, interactions, and compactions: events a segment, and the part that is sealed."""


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.at = BEGUN
    return clock


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    with opened(tmp_path, clock) as ledger:
        yield ledger


def opened(folder: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock)


def seal(engagements: Engagements, at_once: int = 100, share: float = 1.0) -> int:
    """Seal a share of the events, in segments of so many; return how many were sealed."""
    through = round(share * engagements.ledger.size()[0])
    with small_segments(at_once):
        return engagements.ledger.compactor.compact(through).events


def answers(engagements: Engagements, moments: list[Instant]) -> dict[str, Any]:
    """The answers about issues, users and events, apart from positions."""
    asked: list[tuple[Any, Any]] = [(None, None)]
    asked += [(moment_of(at), None) for at in moments]
    asked += [(None, moment_of(at)) for at in moments]
    found: dict[str, Any] = {
        f"{key} {when}": engagements.issues.issue(key, *when) for key in KEYS for when in asked
    }
    for user in USERS:
        found |= {f"{user} {w}": engagements.questions.ranking(user, *w) for w in asked}
        found[f"history of {user}"] = [each.event for each in engagements.questions.history(user)]
    found["latest"] = engagements.issues.latest_change()
    found["webhook"] = engagements.issues.last_webhook_at()
    found["recorded"] = [
        (each.originator_version, each.topic, msgspec.json.decode(each.state))
        for each in engagements.ledger.recorder.select_notifications(1, 1_000)
        if each.topic != SEALING
    ]
    return comparable(found)


def comparable(value: Any) -> dict[str, Any]:
    """A value without accounts, which are random."""
    fields: dict[str, Any] = without_accounts(msgspec.to_builtins(value))
    return fields


RANDOM = {"originator_id", "assignee", "actor", "people", "commitment"}


def without_accounts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_accounts(each) for key, each in value.items() if key not in RANDOM}
    return [without_accounts(each) for each in value] if isinstance(value, list | tuple) else value


def expect_sound(engagements: Engagements) -> None:
    for segment in segments_of(engagements):
        engagements.ledger.compactor.check(segment)
    replayed = engagements.maintenance.replay(repair=False, progress=lambda _: None)
    assert replayed.difference is None
    assert engagements.maintenance.verify().findings == []


@settings(max_examples=count(full=200, small=8), phases=[Phase.generate])
@given(steps)
def test_whenever_observations_are_sealed_all_answers_are_as_before(tmp_path_factory, told):
    clocks = Clock(), Clock()
    for clock in clocks:
        clock.at = BEGUN
    folders = [tmp_path_factory.mktemp("sealed") for _ in clocks]
    with opened(folders[0], clocks[0]) as plain, opened(folders[1], clocks[1]) as sealed:
        for step in told:
            if isinstance(step, tuple):
                seal(sealed, *step)
                continue
            outcomes = [each.ledger.record_many([step]) for each in (plain, sealed)]
            assert counted(outcomes[0]) == counted(outcomes[1])
            for clock in clocks:
                clock.move(HOUR)
        moments = [Instant(BEGUN + hours * HOUR) for hours in (1, 4)]
        moments.append(Instant(DAY_ONE + 2))
        expected = answers(plain, moments)
        assert answers(sealed, moments) == expected
        seal(sealed, at_once=5)
        assert answers(sealed, moments) == expected
        sealed.ledger.compactor.merge()
        assert answers(sealed, moments) == expected
        assert not hot(folders[1])
        expect_sound(sealed)


def counted(outcomes: list[Any]) -> list[bool]:
    return [each.counted for each in outcomes]


def hot(folder: Path) -> list[int]:
    """The positions of hot observations."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        rows = connection.execute("SELECT position FROM events WHERE topic = 'observation'")
        return [position for (position,) in rows]


# --- what is asked of them -----------------------------------------------------------------------


def told(engagements: Engagements, number: int, updated: int = 0, **fields: Any) -> None:
    at = Instant(DAY_ONE + updated)
    engagements.ledger.record(observation(number, updated_at=at, **fields))


def test_a_stream_of_the_package_has_its_sealed_observations_too(engagements):
    told(engagements, 1)
    told(engagements, 1, 1)
    recorder = engagements.ledger.recorder
    before = recorder.select_notifications(1, 10)
    events = recorder.select_events(before[0].originator_id)
    assert seal(engagements, 1, share=0.5) == 1
    assert recorder.select_notifications(1, 2) == before
    assert recorder.select_notifications(1, 10, topics=[OBSERVATION]) == before
    assert recorder.select_events(before[0].originator_id) == events
    assert [each.originator_version for each in events] == [0, 1]


def test_the_last_observations_are_found_in_any_number_of_segments(engagements):
    for number in range(6):
        told(engagements, number, number, origin="webhook" if number == 1 else "look-up")
        if number < 5:
            seal(engagements)
    database = engagements.ledger.database
    with database.read() as connection:
        found = [each.issue for each in store.issue_streams.latest_first(connection, database)]
    assert found == [observation(number).issue for number in reversed(range(6))]
    assert engagements.issues.last_webhook_at() == moment_of_second(engagements)


def moment_of_second(engagements: Engagements) -> int:
    _, second, *_ = engagements.ledger.recorder.select_notifications(1, 10, topics=[OBSERVATION])
    recorded: int = msgspec.json.decode(second.state)["recorded_at"]
    return recorded


def test_what_is_sealed_counts_once_when_it_comes_again(engagements):
    told(engagements, 1, priority=1)
    seal(engagements)
    head, _ = engagements.ledger.size()
    again = engagements.ledger.record(observation(1, priority=1))
    assert (again.position, again.counted) == (1, False)
    assert engagements.ledger.size()[0] == head


def test_an_issue_moves_to_a_key_of_one_whose_observations_are_all_sealed(engagements):
    told(engagements, 1, identifier="DMD-1", origin="look-up")
    seal(engagements)
    told(engagements, 2, 1, identifier="DMD-1", origin="look-up")
    expect_sound(engagements)


def test_the_ids_of_issues_are_found_where_they_are_sealed(engagements):
    told(engagements, 1, origin="look-up")
    told(engagements, 2, identifier="AI-3", former_identifiers=("AI-2",), origin="look-up")
    asked = [("AI-1", None), ("AI-3", None)]
    engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
    before = engagements.issues.linear_ids(asked), engagements.issues.recorded_keys()
    assert before[0] == [uuid(1), uuid(2)]
    seal(engagements)
    assert (engagements.issues.linear_ids(asked), engagements.issues.recorded_keys()) == before


def test_the_observations_that_name_a_person_are_found_where_they_are_sealed(engagements):
    mira = Person(uuid(200), "Mira")
    told(engagements, 1, assignee=mira)
    told(engagements, 2, 1, actor=mira)
    before = engagements.issues.naming(mira.user_id)
    assert [each.roles for each in before] == [("assignee",), ("actor",)]
    seal(engagements)
    told(engagements, 3, 2)
    assert engagements.issues.naming(mira.user_id) == before


def test_a_correction_of_the_clock_holds_for_sealed_observations(engagements, clock):
    clock.move(400 * DAY)
    told(engagements, 1, said_at=clock.at)
    seal(engagements)
    clock.move(HOUR - 400 * DAY)
    engagements.ledger.correct_clock("it ran ahead")
    found = engagements.issues.issue("AI-1", known_at=moment_of(clock.at))
    assert found is not None
    assert found.said_at == clock.at
    expect_sound(engagements)


def test_a_question_about_hot_observations_reads_no_segment(engagements, monkeypatch):
    told(engagements, 1)
    seal(engagements)
    told(engagements, 2)
    monkeypatch.delattr(segment_store.Archive, "opened")
    assert engagements.issues.issue("AI-2") is not None
    told(engagements, 1, 1, origin="look-up")
    assert engagements.issues.linear_ids([("AI-1", None)]) == [uuid(1)]
    with pytest.raises(AttributeError):
        engagements.issues.issue("AI-1")


def test_the_sealed_observations_of_an_issue_are_read_once(engagements, monkeypatch):
    engagements.ledger.record(observation(1, state_type="started"))
    seal(engagements)
    first = engagements.issues.issue("AI-1")
    assert first is not None
    monkeypatch.delattr(segment_store.Archive, "opened")
    assert engagements.issues.issue("AI-1") == first


def test_observations_stand_in_row_groups_of_their_own(engagements, monkeypatch):
    monkeypatch.setattr(parquet, "OBSERVATIONS_OF_A_GROUP", 2)
    for number in range(5):
        told(engagements, number)
        engagements.ledger.record(interaction_of("ana", f"AI-{number}", "query"))
    seal(engagements)
    (segment,) = segments_of(engagements)
    with engagements.ledger.archive.opened(segment) as file:
        rows = file.metadata.num_row_groups
        groups = [file.read_row_group(group)["account"].to_pylist() for group in range(rows)]
    assert [{name > LAST for name in group} for group in groups] == [{False}, *[{True}] * 3]
    assert [len(group) for group in groups] == [5, 2, 2, 1]


def test_what_is_cut_out_of_a_file_with_observations_has_the_bytes_of_one_without(engagements):
    engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
    seal(engagements)
    (segment,) = segments_of(engagements)
    archive = engagements.ledger.database.archive
    table = archive.read(segment)
    table = table.append_column(STATE, pa.nulls(len(table), STATE.type))
    assert archive.publish(table, *segment.range) == segment


def test_a_segment_ends_before_its_observations_are_too_large_for_the_memory(
    engagements, monkeypatch
):
    for number in range(6):
        told(engagements, number)
    monkeypatch.setattr(compaction, "STATES_AT_ONCE_BYTES", 400)
    seal(engagements)
    assert [each.events for each in segments_of(engagements)] == [2, 2, 2]


# --- planted faults ------------------------------------------------------------------------------


def changed(table: pa.Table) -> pa.Table:
    """The table with another byte in the first state."""
    if STATE.name not in table.column_names:
        return table
    states = table[STATE.name].to_pylist()
    first = next(number for number, each in enumerate(states) if each is not None)
    states[first] = states[first].replace(b'"started"', b'"startes"')
    place = table.column_names.index(STATE.name)
    return table.set_column(place, STATE, pa.array(states, STATE.type))


def drop_from_the_file(patch: pytest.MonkeyPatch) -> None:
    rightly = parquet.write
    patch.setattr(
        segment_store,
        "write",
        lambda path, tables, *given, **named: rightly(
            path, (each[:-1] for each in tables), *given, **named
        ),
    )


def drop_from_the_table(patch: pytest.MonkeyPatch) -> None:
    rightly = compaction.HotEvents.table
    patch.setattr(compaction.HotEvents, "table", lambda *given: rightly(*given)[1:])


def change_in_the_file(patch: pytest.MonkeyPatch) -> None:
    rightly = parquet.write
    patch.setattr(
        segment_store,
        "write",
        lambda path, tables, *given, **named: rightly(path, map(changed, tables), *given, **named),
    )


def change_in_the_table(patch: pytest.MonkeyPatch) -> None:
    rightly = compaction.HotEvents._batch

    def broken(*given: Any) -> pa.RecordBatch:
        (batch,) = changed(pa.Table.from_batches([rightly(*given)])).to_batches()
        return batch

    patch.setattr(compaction.HotEvents, "_batch", broken)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], type[LedgerError]]] = {
    "dropped from the file": (drop_from_the_file, DamagedSegmentError),
    "dropped from the table": (drop_from_the_table, LedgerError),
    "changed in the file": (change_in_the_file, DamagedSegmentError),
    "changed in the table": (change_in_the_table, LedgerDamagedError),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_compaction_that_loses_or_changes_an_observation_deletes_nothing(
    engagements, tmp_path, fault
):
    for number in range(3):
        told(engagements, number)
    before = hot(tmp_path)
    plant, error = FAULTS[fault]
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(error):
            seal(engagements)
    assert hot(tmp_path) == before
    assert segments_of(engagements) == []
    expect_sound(engagements)
    assert seal(engagements) == len(before)
    assert not hot(tmp_path)


def test_a_merge_that_changes_an_observation_replaces_nothing(engagements):
    for number in range(2):
        told(engagements, number)
        seal(engagements)
    before = segments_of(engagements)
    with pytest.MonkeyPatch.context() as patch:
        change_in_the_file(patch)
        with pytest.raises(DamagedSegmentError):
            engagements.ledger.compactor.merge()
    assert segments_of(engagements) == before
    expect_sound(engagements)


def test_a_state_that_was_sealed_wrong_is_found_by_a_verification(engagements, tmp_path):
    """Here all checks before the deletion are switched off but the counting of rows."""
    told(engagements, 1)
    told(engagements, 1, 1, identifier="DMD-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "differing", lambda *_: None)
        change_in_the_file(patch)
        seal(engagements)
    (segment,) = segments_of(engagements)
    with pytest.raises(DamagedSegmentError, match="does not say what was sealed"):
        engagements.ledger.compactor.check(segment)
    assert "the archive" in {each.where for each in engagements.maintenance.verify().findings}
