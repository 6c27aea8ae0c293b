"""Hidden issues: the buttons and the answers about them."""

from collections.abc import Iterable, Sequence

from bot.answers.reply import Button, Reply, say
from bot.language import words
from bot.listening.classification import HIDE_BUTTON, LISTED_BUTTON, UNHIDE_BUTTON
from ledger.as_of import AsOf
from ledger.events import EngagementHidden
from projections.ranking import hidden_issues


def hiding_button(issue: str, *, hide: bool) -> Button:
    """The button that hides an issue, or shows it again."""
    if hide:
        return Button(words.HIDE_BUTTON.format(issue=issue), HIDE_BUTTON + issue)
    return Button(words.UNHIDE_BUTTON.format(issue=issue), UNHIDE_BUTTON + issue)


def hiding(issue: str, hidings: Sequence[EngagementHidden], *, hidden: bool) -> Reply | None:
    """The answer to hiding an issue or showing it again; None if that was not recorded.

    `hidings` are the user's in the order of recording; the last one of this issue may be the one.
    """
    of_issue = [each for each in hidings if each.issue_id == issue]
    now, before = (issue in hidden_issues(some, AsOf()) for some in (of_issue, of_issue[:-1]))
    if now is not hidden:
        return None
    if hidden:
        return say(words.HIDDEN_BEFORE if before else words.HIDDEN, issue=issue)
    return say(words.UNHIDDEN if before else words.NOT_HIDDEN, issue=issue)


def hidden_list(hidden: Iterable[str]) -> Reply:
    """The list of hidden issues, with a button for each that shows it again."""
    buttons = tuple(Button(issue, LISTED_BUTTON + issue) for issue in sorted(hidden))
    return Reply(words.HIDDEN_LIST, buttons) if buttons else Reply(words.NOTHING_HIDDEN)
