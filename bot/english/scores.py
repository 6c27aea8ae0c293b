"""Engagement: cards without Linear, scores and why, rankings, totals, histories, hidden issues."""

CARD = "<b>{issue}</b> · score <b>{score}</b>{note}\n{touches}, {last}"
CARD_AGAIN = "<b>{issue}</b> · score <b>{score}</b>{note}\n{touches} · first {first}, last {last}"
CARD_NEW = "<b>{issue}</b> · score <b>{score}</b>\nnot touched yet: every issue starts there"
SCORE = "<b>{issue}</b> scores <b>{score}</b> {moment}{note}\n{sentence}"
NOW = "now"
AS_OF = "as of {when}"

CARD_ENGAGED = "Your score <b>{score}</b>{note} · {touches}, {last}"
CARD_ENGAGED_AGAIN = "Your score <b>{score}</b>{note} · {touches}, last {last}"
CARD_NOT_ENGAGED = "You have not touched it yet."

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
BRIEFING_STAGNANT = "⏳ No movement: {issues}"
BRIEFING_STAGNANT_ISSUE = "<b>{issue}</b> for {days} working days"
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
