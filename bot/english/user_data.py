"""The data of a user: export, the link to Linear, privacy, opting out, being forgotten."""

EXPORT = "Everything recorded about you, as JSON. Events: {count}"
EXPORT_PART = (
    "Everything recorded about you, as JSON, part {part} of {parts}. Events in all: {count}"
)
EXPORT_BEGUN = "I am making your export, which takes a while. It comes as soon as it is ready."
EXPORT_GOES_ON = "Your export is already being made. It comes as soon as it is ready."
EXPORT_NO_ROOM = (
    "My disk is full or read-only, so I cannot make your export. Ask the people who run me to fix "
    "that, then try again."
)
EXPORT_REFUSED = (
    "Telegram did not accept your export. Try again later; if that does not help, ask the people "
    "who run me for it: <b>engagement history {user_id} --json</b> on the command line writes it."
)

LINK = (
    "{present}Put this code into a comment on any issue in Linear, within an hour:\n"
    "<code>{code}</code>\n"
    "It shows that you are the same person there, and I write to you when I have seen it. Then "
    "you may delete the comment. Never post a code that you did not ask me for: it would give your "
    "place in Linear to another person here."
)
LINK_PRESENT = "In Linear you are {name}; /unlink ends that, and so does linking another user.\n"
LINK_NO_COMMENTS = (
    "{present}I do not hear of comments in Linear, so I cannot find out who you are there. The "
    "people who run me can tell me: <b>engagement link {user_id} LINEAR_USER_ID</b> on the command "
    "line."
)
LINK_OPTED_OUT = (
    "You have opted out, so nothing about you is kept, nor who you are in Linear. /optin resumes "
    "recording."
)
LINKED = (
    "Done: in Linear you are {name}. Cards that I send you say “you” where you are the assignee. "
    "/unlink ends that."
)
LINK_LOST = (
    "Your link to a user in Linear has ended: another Telegram account has just been linked to "
    "that user. If that account is not yours, tell the people who run me. /link links you again."
)
LINK_NO_NAME = "a user without a name"
NO_LONGER_LINKED = "Done: I no longer know who you are in Linear."
NOT_LINKED = "I did not know who you are in Linear. /link tells me."

PRIVACY = (
    "<b>What is kept</b>\n"
    "For each touch of an issue: which issue, how and when, under random ids that stand for you "
    "and the chat; up to 200 characters of the message, and where it stood; what links those ids "
    "to your Telegram id and the chat's. Which issues you hid from your lists, and when. Who you "
    "are in Linear, once you are linked, until you send /unlink. Your name is kept too if it came "
    "with an imported chat history, or if you write in the terminal chat. No other messages.\n"
    "<b>Where</b>\n"
    "In the ledger's database and in a file next to it, where messages wait while it cannot be "
    "written. {passed_on}\n"
    "<b>How long</b>\n"
    "The words of a message, and where it stood, for {days} days. The touches, and what links "
    "them to you, until you send /forget. Then the touches stay without a name, with a mark that "
    "prevents your past from being recorded again; it contains no readable id.\n"
    "<b>What you can do</b>\n"
    "/export gives you your touches, and the words that are still kept. /optout stops recording "
    "you, /optin resumes it. /forget deletes what links the past to you."
)

PRIVACY_NOTHING = "I pass nothing on."
PRIVACY_LINEAR = (
    "I ask Linear about the issues that I show you, and those that you name to me in private, "
    "without saying to whom, and pass nothing else on. I keep what Linear answers about an issue, "
    "with the names of its people."
)

OPTED_OUT = (
    "Done: from now on nothing you do is recorded. What was recorded before stays until you send "
    "/forget. /optin resumes recording."
)
OPTED_IN = "Done: what you ask, open and mention is recorded from now on."
NOT_NOTED = "That could not be saved. Please try again in a minute."

FORGET = (
    "This deletes what links the past to you: your id and name, your words, where they stood, your "
    "scores. The events stay, without a name. It cannot be undone.\n"
    "Shall I forget you?"
)
FORGET_YES = "Yes, forget me"
FORGET_NO = "No"
FORGOTTEN = (
    "Done. What was recorded about you has no name now, and is never recorded again. What you "
    "write from now on counts for a new user; /optout prevents that."
)
FORGET_KEPT = "Nothing was deleted."
FORGET_LATER = (
    "You are forgotten, but the last copies in the database's log cannot be removed while it is "
    "being read. Please press again in a minute."
)
NOT_YOURS = "Only the person who asked can answer this."
