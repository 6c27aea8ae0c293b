"""Chats of a scenario: events that happen to a chat, rather than actions of its members."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.telegram.bot_methods import member
from tests.support.telegram.entities import detected
from tests.support.telegram.server_state import Chat, Message, Sent
from tests.support.telegram.update_queue import Update, kind_of

if TYPE_CHECKING:
    from tests.support.telegram.fake_users import FakeUser
    from tests.support.telegram.scenario import Scenario


@dataclass(eq=False, kw_only=True)
class FakeChat(Chat):
    """A chat of a scenario."""

    api: "Scenario"

    def becomes_supergroup(self) -> "FakeChat":
        """Upgrade a basic group: a service message in each; the new one has an id of its own.

        From now on requests for the old one are refused with the new id.
        """
        with self.api.changed:
            new = FakeChat(self.api.supergroup_id(), "supergroup", dict(self.names), api=self.api)
            new.members = dict(self.members)
            self.api.chats[new.id] = new
            by = {"from": self.api.users[self._owner()]}
            old = self.api.post(self, **by, migrate_to_chat_id=new.id)
            self.api.deliver("message", old, self, queued=True)
            self.migrated_to = new.id
            came = self.api.post(new, **by, migrate_from_chat_id=self.id)
            self.api.deliver("message", came, new, queued=True)
        return new

    def _owner(self) -> int:
        users = (i for i, status in self.members.items() if i != self.api.bot_id)
        return next(users, self.api.bot_id)

    def creates_topic(
        self, title: str, by: "FakeUser | None" = None, *, queued: bool = True
    ) -> int:
        """Open a topic in a forum and return its number, which is its service message's."""
        sender = self.api.bot if by is None else by.payload
        with self.api.changed:
            topic = {"name": title, "icon_color": 7322096}
            message = self.api.post(self, **{"from": sender}, forum_topic_created=topic)
            number = int(message["message_id"])
            message |= {"message_thread_id": number, "is_topic_message": True}
            self.topics[number] = title
            self.api.deliver("message", message, self, queued=queued)
        return number

    def closes_topic(self, number: int) -> None:
        """Close a topic: the bot may not write there any more."""
        with self.api.changed:
            self.closed_topics.add(number)

    def posts(self, text: str, *, queued: bool = True) -> Update:
        """A post of a channel."""
        with self.api.changed:
            found = detected(text)
            content = {"text": text} | ({"entities": found} if found else {})
            post = self.api.post(self, sender_chat=self.shown(), **content)
            return self.api.deliver("channel_post", post, self, queued=queued)

    def edits_post(self, post: Update, text: str, *, queued: bool = True) -> Update:
        """An edited post of a channel."""
        with self.api.changed:
            kept = {k: v for k, v in message_of(post).items() if k != "entities"}
            after = kept | {"text": text, "edit_date": self.api.seconds()}
            self.messages[after["message_id"]] = after
            return self.api.deliver("edited_channel_post", after, self, queued=queued)

    def shows_post_of(self, channel: "FakeChat", post: Update, *, queued: bool = True) -> Update:
        """The post of a linked channel, which Telegram forwards into its group by itself."""
        original = message_of(post)
        origin = {
            "type": "channel",
            "date": original["date"],
            "chat": channel.shown(),
            "message_id": original["message_id"],
        }
        sender = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
        with self.api.changed:
            message = self.api.post(
                self,
                **{"from": sender},
                sender_chat=channel.shown(),
                is_automatic_forward=True,
                forward_origin=origin,
                text=original["text"],
            )
            return self.api.deliver("message", message, self, queued=queued)

    def bot_becomes(self, status: str, by: "FakeUser", *, queued: bool = True) -> Update:
        """Change the bot's status here: "member", "administrator", "left", "kicked"."""
        with self.api.changed:
            old = member(self.api, self, self.api.bot_id)
            self.members[self.api.bot_id] = status
            change = {
                "chat": self.shown(),
                "from": by.payload,
                "date": self.api.seconds(),
                "old_chat_member": old,
                "new_chat_member": member(self.api, self, self.api.bot_id),
            }
            return self.api.deliver("my_chat_member", change, self, queued=queued)


def message_of(thing: Update | Message | Sent) -> dict[str, Any]:
    """The message in an update or in what the bot sent, or the message itself."""
    if isinstance(thing, Sent):
        return thing.message
    if "update_id" not in thing:
        return thing
    content: dict[str, Any] = thing[kind_of(thing)]
    return content
