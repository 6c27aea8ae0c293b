"""Issues of Linear: cards, lists, titles."""

ISSUE_TITLE = "<b>{issue} {title}</b>"
ITEM_TITLE = "{mark} <b>{issue}</b> {title}"
ISSUE_ABSENT = "{issue}: not found in Linear, or I may not see it"
ISSUE_OF_NO_TEAM = "{issue} is of no team that I know"
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
ISSUE_STAGNANT = "⏳ no movement for {days} working days"
ISSUE_UNASSIGNED = "unassigned"
ISSUE_YOURS = "you"
ISSUE_ARCHIVED, ISSUE_TRASHED = "archived", "in the trash"
ISSUE_MOVED = "now {identifier}"
ISSUE_AGE = "as of {age} ago"
AGE_MINUTES, AGE_HOURS, AGE_DAYS = "{count} min", "{count} h", "{count} days"

TITLE, TITLE_BEFORE_MORE = " {title}", " {title} ·"
ISSUE_SAID = "as Linear described it {when}"
ISSUE_TIMES = "time in states: {times}"
ISSUE_SOMEONE, ISSUE_UNNAMED = "assigned", "another issue"
ISSUE_UNRECORDED = "{issue}: nothing is recorded of it"
