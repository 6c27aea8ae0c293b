"""The chat in the terminal."""

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
CHAT_NO_BUTTONS = "There is no button to press now. Ask for the card or the list again."
