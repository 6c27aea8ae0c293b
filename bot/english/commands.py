"""Commands: their summaries, examples and greetings, and what is said to a message that is none."""

SUMMARIES = {
    "start": "say hello",
    "briefing": "your issues, with a button for each",
    "top": "what you are most engaged with",
    "score": "the score of an issue, and why",
    "why": "how a score is computed, step by step",
    "history": "what is recorded about you",
    "chart": "a chart of your scores",
    "stats": "your totals",
    "hide": "leave an issue out of your lists",
    "unhide": "show it there again, or list hidden issues",
    "export": "everything recorded about you, as files",
    "link": "tell me who you are in Linear",
    "unlink": "forget who I am in Linear",
    "privacy": "what is kept, where and for how long",
    "optout": "stop recording me",
    "optin": "record me again",
    "forget": "delete what links the past to me",
    "help": "what I do and what I record",
    "status": "the state of the ledger",
    "clock": "the time on my clock, and whether it is right",
}
"""A summary of each command, for menus and /help."""

EXAMPLES = {
    "top": "/top, /top 5 or /top 5 last monday",
    "score": "/score AI-1799 or /score AI-1799 2026-01-31",
    "why": "/why AI-1799 or /why AI-1799 last monday",
    "history": "/history, /history AI-1799 or /history AI-1799 yesterday",
    "chart": "/chart, /chart AI-1799 or /chart AI-1799 last monday",
    "stats": "/stats or /stats 3 weeks ago",
    "hide": "/hide AI-1799",
    "unhide": "/unhide or /unhide AI-1799",
    "clock": "/clock or /clock ok",
}
"""Examples of commands that take arguments."""

COURTESIES = frozenset({"please", "pls", "thanks"})
"""Words after a command's arguments that are ignored, such as please."""

START = (
    "Hello! I remember which Linear issues you ask about, open and mention, and tell you what you "
    "are most engaged with.\n"
    "Name one, such as <b>AI-1799</b>, or ask for your /briefing. /help says more, /privacy what "
    "is kept."
)
START_IN_GROUP = (
    "Hello! I remember who asks about which issue and who mentions it. Ask me by name, as in "
    "<b>@{bot} AI-1799</b>; /help says more, /privacy what is kept, /optout keeps you out."
)

HELP = (
    "<b>What I do</b>\n"
    "I keep a ledger of who is engaged with which Linear issue, and answer from it. A score goes "
    "from 0 to 1: it rises with every touch and falls with every day without one.\n"
    "\n"
    "<b>What I record</b>\n"
    "A <i>query</i> when you ask me about an issue, a <i>view</i> when you open its card from a "
    "list, a <i>mention</i> when you name it in a group that I am in. Only messages that name an "
    "issue are recorded, {written}; no forwards, no bots, none of my own commands.\n"
    "{sees}\n"
    "Times are those of {zone}. A date is written as 2026-01-31, 31 Jan, yesterday, last monday, "
    "3 weeks ago or January 2026, with or without a time: yesterday at 14:00. I answer as it stood "
    "then, or at the end of the day.\n"
    "\n"
    "<b>Commands</b>\n"
    "{commands}"
)
HELP_IN_CAPITALS = "in capitals as in AI-1799"
HELP_IN_EITHER_CASE = "such as AI-1799 or ai-1799"
COMMAND_LINE = "/{usage} – {summary}"
SEES_ALL = "In groups I see every message."
SEES_FEW = (
    "In groups Telegram shows me only commands, replies to me and messages with my name (privacy "
    "mode is on), so other mentions are not recorded. BotFather's /setprivacy changes that."
)

ANSWERED_IN_PRIVATE = "I have answered you in private."
ANSWERED_ISSUES = "{issues}: I have sent you what I know in private."
OPEN_PRIVATE = "That is for you alone, and I may not write to you first. Open our chat:"
OPEN_BUTTON = "Open the chat with me"
ONLY_IN_PRIVATE = "/{command} works in our private chat only."

UNKNOWN_COMMAND = "I do not know /{command}. /help lists what I know."
NO_ISSUE_NAMED = "Name an issue, such as AI-1799, or ask for /help."
NO_ISSUE_IN_CAPITALS = "Name an issue in capitals, such as AI-1799, or ask for /help."
INLINE_HINT = "Type an issue, such as AI-1799"
INLINE_REFUSED = "Sorry, I only talk to people from my groups."
GUEST_WITHOUT_FACTS = "{issue}: I can say nothing about it here. Ask me in our private chat."
LEFT_OVER = "/{command} takes no more words, so “{words}” was ignored."
LEFT_OVER_ISSUE = "/{command} takes one issue, so “{words}” was ignored."
BAD_ARGUMENTS = "I did not understand that. Try {example}."
NO_ISSUE = "{word} is not an issue that I can read. Try {example}."
NO_TEAM = "{word} is of no team that I know. Try {example}."
NO_ISSUE_NO_DATE = "{word} is neither an issue nor a date that I can read. Try {example}."
BAD_DATE = "{word} is not a date that I can read. Try {example}."

NOT_INSTALLED = "Sorry, that is not installed here: {reason}"
FOR_ADMINS = "/{command} is for the admins of this bot."

NOT_HERE = (
    "I am not meant for this chat (its id is {chat_id}), so I am leaving. Nothing was recorded."
)
NOT_WITH_YOU = (
    "I only talk to people from my groups. Name an issue in one of them first, or ask the people "
    "who run me to admit your id: {user_id}. Nothing was recorded."
)
