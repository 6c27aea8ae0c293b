"""Source keys of what people do in Telegram: the same live, delivered again, edited or exported."""

from ledger.instants import Instant
from ledger.source_keys import SourceKey


def supergroup_key(chat_id: int, message_id: int, issue_id: str, sent_at: Instant) -> SourceKey:
    """Return the key of an issue in a supergroup's message, whose id is the same for everybody."""
    return SourceKey(f"{chat_id}:{message_id}:{issue_id}", sent_at)


def private_key(
    bot_id: int, chat_id: int, message_id: int, issue_id: str, sent_at: Instant
) -> SourceKey:
    """Return the key of an issue in a message of a private chat or a basic group.

    Message ids there belong to the bot's account: with another bot they start anew.
    """
    return SourceKey(f"{bot_id}:{chat_id}:{message_id}:{issue_id}", sent_at)


def hiding_key(of_message: SourceKey) -> SourceKey:
    """Return the key of a command that hides an issue, from that of the issue in its message.

    An edit can make another message of the command, which names the issue for the first time then.
    """
    return SourceKey(f"hiding:{of_message.text}", of_message.dated_at)


def press_key(bot_id: int, callback_query_id: str) -> SourceKey:
    """Return the key of a press on a button, which is for one issue and has no date of its own."""
    return SourceKey(f"{bot_id}:callback:{callback_query_id}")


def export_key(user_id: str, issue_id: str, sent_at: Instant, ordinal: int) -> SourceKey:
    """Return the key of an issue in an exported message of a private chat or a basic group.

    Message ids there belong to whoever exported, and the chat goes by different names in different
    exports: a private chat by that of the other one, a group by another id once it has become a
    supergroup. So the key says who named which issue in which second, and as the how manieth time
    in it: two members' exports of one chat count once.
    """
    return SourceKey(f"export:{user_id}:{sent_at}:{issue_id}:{ordinal}", sent_at)
