"""Findings of a verification."""

import msgspec

BACKUP = "restore a backup"
REPAIR = "`engagement replay --repair` rebuilds it"


class Finding(msgspec.Struct, frozen=True):
    """A damage: `where` is the table or file, `says` a sentence for the operator.

    The sentence says what is damaged, what that means and what to do, without a person's text or
    ids. Damage to `derived` data can be repaired from the events.
    """

    where: str
    says: str
    derived: bool = False


def truth(where: str, what: str, meaning: str) -> Finding:
    """A finding of damage that only a backup can repair."""
    return Finding(where, f"{where}: {what}, so {meaning}; {BACKUP}")


def of_replay(name: str, what: str) -> Finding:
    """A finding of damage to a read model beside the live one."""
    where = f"the replay {name}"
    todo = f"`engagement replay drop {name}` drops it; then it can be built again"
    return Finding(where, f"{where}: {what}; {todo}", derived=True)


def derived(where: str, what: str) -> Finding:
    """A finding of damage that a replay can repair."""
    meaning = "answers may be wrong until then"
    return Finding(where, f"{where}: {what}; {REPAIR}, and {meaning}", derived=True)
