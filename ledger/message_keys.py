"""Source keys of Telegram messages: the same when live, delivered again, edited or exported."""

from ledger.idempotency import SourceKey
from ledger.instants import Instant


def supergroup_key(chat_id: int, message_id: int, issue_id: str, sent_at: Instant) -> SourceKey:
    """The key of an issue in a supergroup's message, whose id is the same for all members."""
    return SourceKey(f"{chat_id}:{message_id}:{issue_id}", sent_at)


def private_key(
    bot_id: int, chat_id: int, message_id: int, issue_id: str, sent_at: Instant
) -> SourceKey:
    """The key of an issue in a message of a private chat or a basic group.

    Message ids there are per account, so another bot counts from the start.
    """
    return SourceKey(f"{bot_id}:{chat_id}:{message_id}:{issue_id}", sent_at)


def hiding_key(of_message: SourceKey) -> SourceKey:
    """The key of a command that hides an issue, derived from the key of the issue in its message.

    It must differ from that one, because an edit can turn the command into a message that mentions
    the issue.
    """
    return SourceKey(f"hiding:{of_message.text}", of_message.dated_at)


def press_key(bot_id: int, callback_query_id: str) -> SourceKey:
    """The key of a press on a button, which is for one issue and has no date."""
    return SourceKey(f"{bot_id}:callback:{callback_query_id}")


def export_key(user_id: str, issue_id: str, sent_at: Instant, ordinal: int) -> SourceKey:
    """The key of an issue in an exported message of a private chat or a basic group.

    Message ids there are per account, and exports identify the chat differently: a private chat by
    its other member, a group by another id once it has become a supergroup. So the key consists of
    the user, the issue, the second and the ordinal within it: exports of one chat by two members
    count once.
    """
    return SourceKey(f"export:{user_id}:{sent_at}:{issue_id}:{ordinal}", sent_at)
