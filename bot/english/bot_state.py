"""The state of the bot: its ledger, its clock, and what went wrong."""

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
