"""Every word that people read, in English: sentences with names in braces to be filled in."""

import msgspec

# The words on charts.


class ChartWords(msgspec.Struct, frozen=True, kw_only=True):
    """The texts on charts in one language, in characters that DejaVu Sans has.

    Names in braces are placeholders.
    """

    score_caption: str
    """Under the issue: "Score, {start} to {end} ({zone})"."""
    score_caption_of_day: str
    """The same, where the span is within one day: "Score on {start} ({zone})"."""
    no_interactions: str
    """Shown instead of a line if the issue was not touched by the end of the span."""
    kinds: dict[str, str]
    late: str
    override: str
    decay: str
    """Names of the rows beneath a score: the kinds by their labels, those known late, overrides,
    spans under daily decay."""
    ranking_title: str
    nothing_ranked: str
    """Shown instead of bars if nothing ranks."""
    day: str
    """A day of the year: "{day} {month}"."""
    date: str
    """A day of a year: "{day} {month} {year}"."""
    months: tuple[str, ...]
    """Short names of the twelve months, January first."""


# The words in which dates are written.

Spellings = tuple[str, ...]
"""The spellings of one unit or name, in lower case; the first is the singular."""


class DateWords(msgspec.Struct, frozen=True, kw_only=True):
    """The vocabulary and word order of dates in one language; case is ignored.

    A form is a text with named placeholders in braces, so that each language has its own word
    order.
    """

    now: Spellings
    today: Spellings
    yesterday: Spellings
    weekdays: tuple[Spellings, ...]
    """Monday first."""
    months: tuple[Spellings, ...]
    """January first."""
    units: tuple[Spellings, ...]
    """Minute, hour, day, week, month, year."""
    one: Spellings
    """Words for the count 1."""
    ago: Spellings
    """Forms with {count} and {unit}."""
    last_period: Spellings
    """Forms with {period}: a week, a month or a year in the singular."""
    last_weekday: Spellings
    """Forms with {weekday}."""
    day_of_year: Spellings
    """Forms with {day} and {month}, and {year} where they name it."""
    whole_month: Spellings
    """Forms with {month} and {year}."""
    timed: Spellings
    """Forms with {date} and either {clock}, as in 9:15, or {hour}, as in 9."""


# The texts are HTML in Telegram's dialect; `bot.answers.replies.fill` escapes the values. For
# another language, translate a copy of this module, and name the copy in `bot.language`.

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
    "issue are recorded, in capitals as in AI-1799; no forwards, no bots, none of my own "
    "commands.\n"
    "{sees}\n"
    "Times are those of {zone}. A date is written as 2026-01-31, 31 Jan, yesterday, last monday, "
    "3 weeks ago or January 2026, with or without a time: yesterday at 14:00. I answer as it stood "
    "then, or at the end of the day.\n"
    "\n"
    "<b>Commands</b>\n"
    "{commands}"
)
COMMAND_LINE = "/{usage} – {summary}"
SEES_ALL = "In groups I see every message."
SEES_FEW = (
    "In groups Telegram shows me only commands, replies to me and messages with my name (privacy "
    "mode is on), so other mentions are not recorded. BotFather's /setprivacy changes that."
)

CARD = "<b>{issue}</b> · score <b>{score}</b>{note}\n{touches}, {last}"
CARD_AGAIN = "<b>{issue}</b> · score <b>{score}</b>{note}\n{touches} · first {first}, last {last}"
CARD_NEW = "<b>{issue}</b> · score <b>{score}</b>\nnot touched yet: every issue starts there"
SCORE = "<b>{issue}</b> scores <b>{score}</b> {moment}{note}\n{sentence}"
NOW = "now"
AS_OF = "as of {when}"

CARD_ENGAGED = "Your score <b>{score}</b>{note} · {touches}, {last}"
CARD_ENGAGED_AGAIN = "Your score <b>{score}</b>{note} · {touches}, last {last}"
CARD_NOT_ENGAGED = "You have not touched it yet."

ISSUE_TITLE = "<b>{issue} {title}</b>"
ITEM_TITLE = "{mark} <b>{issue}</b> {title}"
ITEM_SCORE = "score {score}{note}"
ISSUE_ABSENT = "{issue}: not found in Linear, or I may not see it"
ISSUE_UNKNOWN = "{issue}: Linear does not answer now; ask again in a minute"
ISSUE_PENDING = "{issue}: asking Linear …"
ISSUE_BUTTON, WHY_BUTTON = "Open in Linear", "Why?"
COPY_KEY_BUTTON, COPY_BRANCH_BUTTON = "Copy {issue}", "Copy branch"
ISSUE_NO_TITLE = "(without a title)"
ISSUE_STATE_FOR, ISSUE_STATE_AGO, ISSUE_NO_STATE = "{state} for {age}", "{state} {age} ago", "–"
ISSUE_MARKS = {
    "triage": "◇",
    "backlog": "◌",
    "unstarted": "○",
    "started": "◐",
    "completed": "✓",
    "canceled": "✕",
    "duplicate": "✕",
}
"""By the type of the state; the name is the team's own."""
ISSUE_OTHER_MARK = "●"
ISSUE_PRIORITIES = {1: "urgent", 2: "high priority", 3: "medium priority", 4: "low priority"}
ISSUE_DUE, ISSUE_DUE_SOON, ISSUE_OVERDUE = "due {day}", "🔴 due {day}", "🔴 was due {day}"
ISSUE_CYCLE = "cycle {number}"
ISSUE_BLOCKED, ISSUE_BLOCKED_MORE = "blocked by {blockers}{more}", " and {count} more"
ISSUE_BLOCKED_MARK = "⛔ {fact}"
ISSUE_UNASSIGNED = "unassigned"
ISSUE_YOURS = "you"
ISSUE_ARCHIVED, ISSUE_TRASHED = "archived", "in the trash"
ISSUE_MOVED = "now {identifier}"
ISSUE_AGE = "as of {age} ago"
AGE_MINUTES, AGE_HOURS, AGE_DAYS = "{count} min", "{count} h", "{count} days"

TITLE, TITLE_BEFORE_MORE = " {title}", " {title} ·"
ISSUE_SAID = "{issue}, as Linear described it {when}"
ISSUE_TIMES = "time in states: {times}"
ISSUE_SOMEONE = "assigned"
ISSUE_UNRECORDED = "{issue}: nothing is recorded of it"

CARD_HIDDEN = "hidden from your lists"

TOP = "<b>What you are most engaged with</b> {moment}"
TOP_QUIET = "<b>What you are most engaged with</b> {moment}: all long inactive"
TOP_LINE = "{place}. <b>{issue}</b>{title} {score} · {times} · {last}{note}"
NO_TOP = "You have no issues to rank {moment}: nothing is recorded about you."
ALL_HIDDEN = "All your issues are hidden from your lists {moment}. /unhide lists them."

QUIET = "long inactive"
UNCOUNTED = "nothing that counts"
SET_BY_HAND = "set by hand"
NOTE = " · {note}"

BRIEFING = "<b>Your briefing</b>, {when}\nPress an issue to open its card."
BRIEFING_QUIET = "<b>Your briefing</b>, {when}: all long inactive\nPress an issue to open its card."
BRIEFING_BUTTON = "{issue} · {score}"
NO_BRIEFING_ALL_HIDDEN = (
    "There is nothing to brief you about: all your issues are hidden from your lists. "
    "/unhide lists them."
)
NO_BRIEFING = "There is nothing to brief you about yet: ask me about an issue, such as AI-1799."

STATS = (
    "<b>Your totals</b> {moment}\n"
    "Interactions: {total}\n"
    "Issues: {issues}\n"
    "Interactions per issue: {average}\n"
    "Last: {last}\n"
    "Most engaged: {most}"
)
NO_STATS = "Nothing is recorded about you {moment}."
NONE = "none"
MOST_HIDDEN = "all hidden, /unhide lists them"

HISTORY = "<b>What is recorded about you</b>{of_issue} {moment}, the latest first"
HISTORY_OF = " for {issue}"
HISTORY_LINE = "{when} · {kind} · <b>{issue}</b>{title}"
FORMER_KEY = "{key} (now {issue})"
HISTORY_CONTEXT = "<i>“{context}”</i>"
HISTORY_SET = "score set to {score}"
HISTORY_HIDDEN = "hidden from your lists"
HISTORY_UNHIDDEN = "shown in your lists again"
HISTORY_MORE = "… and {count} earlier; /export has them all"
NO_HISTORY = "Nothing is recorded about you{of_issue} {moment}."

CHART_OF_ISSUE = "<b>{issue}</b>{title}: your score {moment}: {score}{note}"
CHART_OF_TOP = "What you are most engaged with {moment}"
CHART_OF_QUIET = "What you are most engaged with {moment}: all long inactive"
NO_CHART = "There is nothing to draw: nothing is recorded about you{of_issue} {moment}."

HIDE_BUTTON = "Hide {issue} from my lists"
UNHIDE_BUTTON = "Show {issue} in my lists again"
HIDDEN = "{issue} is hidden from your lists. It counts as before; /unhide lists what is hidden."
HIDDEN_BEFORE = "{issue} was already hidden from your lists. /unhide lists what is hidden."
UNHIDDEN = "{issue} is in your lists again."
NOT_HIDDEN = "{issue} was not hidden from your lists. /unhide lists what is hidden."
HIDING_WAITS = "Noted: that takes effect as soon as I can write to the ledger again."
HIDING_OPTED_OUT = (
    "You have opted out, so nothing you do is recorded, nor is this. /optin resumes recording."
)
NEVER_TOUCHED = "You never touched {issue}, so it is in none of your lists."
HIDDEN_LIST = "<b>Hidden from your lists</b>\nPress an issue to show it there again."
NOTHING_HIDDEN = "Nothing is hidden from your lists. /hide AI-1799 hides an issue."

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
    "I ask Linear about the issues that I show you, without saying to whom, and pass nothing else "
    "on. I keep what Linear answers about an issue, with the names of its people."
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

STATUS = "<b>The ledger</b>\nEvents: {events}\nPeople: {users}{waiting}"
STATUS_WAITING = "\nI cannot write to it at the moment; new entries wait in a file."
STATUS_JOBS = {
    "engagement_decay": "Scores brought up to date for {day}: {counted} under decay",
    "engagement_cleanup": "Long inactive engagements on {day}: {counted}",
    "engagement_expiry": "Old words deleted for {day}: {counted}",
}

CLOCK = "<b>The clock</b>\nHere: {now}\nLast run: {last_run}\nOutside: {outside}"
CLOCK_OUTSIDE = "{now}, read {minutes} min ago"
CLOCK_WRONG = "The two disagree: one of them is wrong."
CLOCK_GOES_ON = "The scheduled work goes on."
CLOCK_WAITS = (
    "It is long after the last run and nothing confirms the clock, so the scheduled work waits: "
    "nothing is deleted or archived. Set the clock right; if it is right, send /clock ok."
)
CLOCK_CONFIRMED = "Noted: the clock is right. The waiting work is done within the hour."
CLOCK_DOUBT = (
    "My clock says {now}, {days} days after the last run at {last_run}. Outside: {outside}. As it "
    "may be wrong, I delete and archive nothing, but go on recording. Set the clock right; "
    "if it is right, send /clock ok."
)

ANSWERED_IN_PRIVATE = "I have answered you in private."
ANSWERED_ISSUES = "{issues}: I have sent you what I know in private."
OPEN_PRIVATE = "That is for you alone, and I may not write to you first. Open our chat:"
OPEN_BUTTON = "Open the chat with me"
ONLY_IN_PRIVATE = "/{command} works in our private chat only."

UNKNOWN_COMMAND = "I do not know /{command}. /help lists what I know."
NO_ISSUE_NAMED = "Name an issue in capitals, such as AI-1799, or ask for /help."
INLINE_HINT = "Type an issue, such as AI-1799"
INLINE_REFUSED = "Sorry, I only talk to people from my groups."
GUEST_WITHOUT_FACTS = "{issue}: I can say nothing about it here. Ask me in our private chat."
LEFT_OVER = "/{command} takes no more words, so “{words}” was ignored."
LEFT_OVER_ISSUE = "/{command} takes one issue, so “{words}” was ignored."
BAD_ARGUMENTS = "I did not understand that. Try {example}."
NO_ISSUE = "{word} is not an issue that I can read. Try {example}."
NO_ISSUE_NO_DATE = "{word} is neither an issue nor a date that I can read. Try {example}."
BAD_DATE = "{word} is not a date that I can read. Try {example}."
FAILED = "Something went wrong on my side. Please try again in a minute."
NOT_KEPT = (
    "I have not been able to record messages since {since}: {reason}. I still answer the first "
    "hundred; the others wait at Telegram, for up to 24 hours. Please free disk space or make "
    "the disk writable: then I go on by myself, and nothing is lost."
)
KEPT_AGAIN = "I can record again. All messages since {since} are recorded."
DAMAGED = (
    "The ledger is damaged. {finding}. I still record and answer, but archive nothing until it is "
    "repaired; <b>engagement verify</b> on the command line lists all damage."
)
UNREADABLE = "I cannot look that up right now. Please try again in a minute."
NOT_INSTALLED = "Sorry, that is not installed here: {reason}"
FOR_ADMINS = "/{command} is for the admins of this bot."

NOT_HERE = (
    "I am not meant for this chat (its id is {chat_id}), so I am leaving. Nothing was recorded."
)
NOT_WITH_YOU = (
    "I only talk to people from my groups. Name an issue in one of them first, or ask the people "
    "who run me to admit your id: {user_id}. Nothing was recorded."
)

SCORE_SENTENCE = "touched {times}, active {idle}; ({base}) × decay {decay}"
SCORE_BASE = "{frequency_weight} × frequency {frequency} + {recency_weight} × recency {recency}"
SCORE_SET = "touched {times}, set to {score} by hand {idle}; {score} × decay {decay}"
SCORE_DEFAULT = "never touched, so the default"
SCORE_UNCOUNTED = "touched, but in no way that counts"

WHY = "<b>{issue}</b> scores <b>{score}</b> {moment}"
WHY_UNTOUCHED = "Never touched, and every issue starts at {score}."
WHY_TOUCHED = "Touched {times}: {touches}; the last was {last}."
WHY_UNCOUNTED = "{count} of these do not count: only {counted} do."
WHY_LATE = "{count} of these became known more than a day late."
WHY_NOTHING_COUNTS = "So nothing counts: the score is 0, and it ranks after all issues that count."
WHY_FREQUENCY = "Frequency {frequency}: {count} × {step}, at most 1."
WHY_RECENCY = "Recency {recency}: exp(−{rate} × {days}), active {idle}."
WHY_RECENCY_SET = "Recency {recency}: exp(−{rate} × {days}), set by hand {idle}."
WHY_SET = "The score was set to {score} by hand, {when}, and nothing has ended that."
WHY_SET_ENDED = "It was set to {score} by hand, {when}; what came later ended that."
WHY_BASE = "Base {base}: {weighted}."
WHY_BASE_SET = "Base {base}: as it was set."
WHY_DECAY = "Decay {decay}: (1 − {share}) to the power of {days}, the idle days beyond {free}."
WHY_NO_DECAY = "Decay 1.000: there is none within {days} idle days."
WHY_SCORE = "Score {score} = {base} × {decay}."
WHY_QUIET = "It is long inactive: idle for over {days} days, and its score is below {score}."
WHY_PINNED = "It is pinned above all scores, because it was touched less than {hours} hours ago."
WHY_FIRST_POLICY = "By policy {version}, the default."
WHY_POLICY = "By policy {version}, adopted {when}."
WHY_LINE = "{when} · {kind}{late}"
WHY_LATE_MARK = ", known late"

ORDER_BY = {
    "score": "{first} stands before {second} by its score: {score} to {other}.",
    "idle_since": "{first} stands before {second}: both score {score}, and it was active later.",
    "issue_id": "{first} stands before {second} by its name alone: all else is equal.",
    "pinned": "{first} stands before {second}: it was touched recently, which pins it.",
}
ORDER_ONE_TOUCH = "One more touch of {second} now would put it first."
ORDER_TOUCHES = "{count} more touches of {second} now would put it first."
ORDER_NO_TOUCHES = "No number of touches of {second} now would put it first."
ORDER_TIME = "If nothing happens, {second} comes first from {when} on."
ORDER_NO_TIME_SOON = "Time alone does not swap them within {days} days."
ORDER_NONE = "Fewer than two issues rank."

KINDS = {
    "query": ("query", "queries"),
    "view": ("view", "views"),
    "mention": ("mention", "mentions"),
}
"""Each kind in the singular and the plural."""

ONCE, TIMES = "once", "{count} times"
TODAY, TODAY_AT, YESTERDAY_AT = "today", "today at {time}", "yesterday at {time}"
TOMORROW, YESTERDAY = "tomorrow", "yesterday"
DAY_AGO, DAYS_AGO = "1 day ago", "{days} days ago"
DATE_AT, DATE_YEAR = "{day} {month} at {time}", "{day} {month} {year}"
DATE = "{day} {month}"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DATES = DateWords(
    now=("now",),
    today=("today",),
    yesterday=("yesterday",),
    weekdays=(
        ("monday", "mon"),
        ("tuesday", "tue"),
        ("wednesday", "wed"),
        ("thursday", "thu"),
        ("friday", "fri"),
        ("saturday", "sat"),
        ("sunday", "sun"),
    ),
    months=(
        ("january", "jan"),
        ("february", "feb"),
        ("march", "mar"),
        ("april", "apr"),
        ("may",),
        ("june", "jun"),
        ("july", "jul"),
        ("august", "aug"),
        ("september", "sep"),
        ("october", "oct"),
        ("november", "nov"),
        ("december", "dec"),
    ),
    units=(
        ("minute", "minutes"),
        ("hour", "hours"),
        ("day", "days"),
        ("week", "weeks"),
        ("month", "months"),
        ("year", "years"),
    ),
    one=("a", "an"),
    ago=("{count} {unit} ago",),
    last_period=("last {period}",),
    last_weekday=("{weekday}", "last {weekday}"),
    day_of_year=(
        "{day} {month}",
        "{month} {day}",
        "{day} {month} {year}",
        "{month} {day} {year}",
    ),
    whole_month=("{month} {year}",),
    timed=("{date} {clock}", "{date} at {clock}", "{date} at {hour}"),
)

CHART = ChartWords(
    score_caption="Score, {start} to {end} ({zone})",
    score_caption_of_day="Score on {start} ({zone})",
    no_interactions="Nothing recorded yet",
    kinds={label: plural for label, (_, plural) in KINDS.items()},
    late="known late",
    override="set by hand",
    decay="daily decay",
    ranking_title="Most engaged with",
    nothing_ranked="Nothing ranks",
    day="{day} {month}",
    date="{day} {month} {year}",
    months=MONTHS,
)

CHAT_START = (
    "This is the bot in your terminal: a line is a message, a number presses a\n"
    "button, `@ana: text` speaks as ana. Try `How is AI-1799?`, then /top or\n"
    "/help. Ctrl-D ends."
)
CHAT_CLOCK = (
    "The clock says {now}, {days} days after the last run at {last_run}, so "
    "nothing is deleted or archived; set it right, or start with --clock-is-right if it is."
)
CHAT_PROMPT = "\n> "
CHAT_SAVED = "[saved as {path}]"
CHAT_NOT_SAVED = "[not saved in {folder}: {why}. Fix that, then ask again.]"
CHAT_DELETED = "[deleted, with all files in it: {path}]"
CHAT_NOT_KEPT = "[Not recorded: neither the ledger nor a file next to it can be written.]"
CHAT_NO_WEBHOOKS = "[Linear's webhooks do not come here: {why}. --listen names another address.]"
CHAT_NO_TEXT = "To speak as {name}, write a message after `@{name}:`."
CHAT_NO_BUTTON = "No button has that number; the last one is {count}."
