"""Issue keys: found as whole words wherever people write them, and nothing else taken for one."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot import issue_keys
from bot.issue_keys import LOOKALIKES, STANDARDS, InvalidIssuePatternError, IssueKeys
from ledger.text import issue_id_of
from tests.strategies import hostile_texts

KEYS = IssueKeys()

CLIENTS_PATTERN = r"[A-Z]{1,4}-\d{1,5}"

teams = st.from_regex(r"[A-Z][A-Z0-9]{0,9}", fullmatch=True).filter(lambda t: t not in STANDARDS)
keys = st.builds("{}-{}".format, teams, st.integers(0, 99_999)).filter(
    lambda key: key not in LOOKALIKES
)
surroundings = st.text(
    st.sampled_from(" \n\t.,:;!?()[]{}<>/\\#@*'\"`-+=&%$日本語éßا\u200d\U0001f600")
)


# --- what is found -------------------------------------------------------------------------------


@given(surroundings, keys, surroundings)
@example("", "AI-1799", "")
@example("", "DEVOPS-471", "")
@example("", "PLA4-16916", "")
@example("fix/", "NV-12", "-fix-x")
@example("看", "AI-1799", "吧")
@example("é", "AI-1", "é")
def test_a_key_is_found_between_whatever_is_no_letter_digit_or_underscore(before, key, after):
    assert KEYS.found_in(before + key + after) == [key]


@given(st.lists(keys, max_size=10))
def test_each_key_is_found_once_in_the_order_in_which_they_first_stand(several):
    text = ", ".join([*several, *several])
    assert KEYS.found_in(text) == list(dict.fromkeys(several))


@given(keys, st.sampled_from("ABCXYZabcxyz0189_"))
def test_a_key_within_a_word_is_none(key, letter):
    assert key not in KEYS.found_in(f"{letter}{key}")
    assert key not in KEYS.found_in(f"{key}{letter}")


@given(hostile_texts | st.lists(keys | hostile_texts, max_size=8).map("".join))
def test_whatever_is_found_stands_in_the_text_and_is_an_issue_id(text):
    found = KEYS.found_in(text)
    assert len(set(found)) == len(found)
    for key in found:
        assert key in text
        assert issue_id_of(key) == key
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,9}-[0-9]{1,5}", key)


@given(st.text(st.sampled_from("A1-_ a٣١")))
def test_what_is_found_is_what_a_simple_scan_finds(text):
    words = re.split(r"[^A-Za-z0-9_-]", text)
    assert KEYS.found_in(text) == list(
        dict.fromkeys(key for word in words for key in scanned(word))
    )


def scanned(word: str) -> list[str]:
    """The keys in a word of letters, digits, underscores and hyphens: pairs of its pieces."""
    pieces, found, index = word.split("-"), [], 0
    while index + 1 < len(pieces):
        team, number = pieces[index : index + 2]
        if re.fullmatch("[A-Z][A-Z0-9]{0,9}", team) and re.fullmatch("[0-9]{1,5}", number):
            found.append(f"{team}-{number}")
            index += 1
        index += 1
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What's the status of AI-1799 and DMD-480?", ["AI-1799", "DMD-480"]),
        ("https://linear.app/acme/issue/AI-1799/fix-the-login", ["AI-1799"]),
        (
            "https://linear.app/acme/issue/AI-1799/like-DMD-480-before?x=1#comment",
            ["AI-1799", "DMD-480"],
        ),
        ("linear.app/acme/issue/AI-1799", ["AI-1799"]),
        ("<AI-1799>", ["AI-1799"]),
        ("feature/NV-12-fix-x", ["NV-12"]),
        ("NV-12_fix", []),
        ("NV-12fix", []),
        ("Kafka's KAFKA-123 only", ["KAFKA-123"]),
        ("AKAFKAKAFKA-123", []),
        ("AI-1 AI-01 AI-1", ["AI-1", "AI-01"]),
        ("AI-123456", []),
        ("AI-", []),
        ("-1", []),
        ("AI - 1", []),
        ("AI–1 AI−1 AI‐1", []),  # dashes, a minus and a typographic hyphen are no hyphens
        ("AI-١٢٣ AI-１２３ AI-1² AI-2٣", ["AI-1", "AI-2"]),  # only ASCII digits are digits
        ("ＡＩ-1", []),
        ("ai-1799", []),
        ("1AI-2", []),
        ("", []),
    ],
)
def test_examples(text, found):
    assert KEYS.found_in(text) == found


@pytest.mark.parametrize("text", ["KAFKA-123", "see KAFKA-123.", "xKAFKA-123", "KAFKA-1234567"])
def test_the_clients_pattern_finds_no_end_of_a_longer_key(text):
    assert IssueKeys(CLIENTS_PATTERN).found_in(text) == []


# --- what is none --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(f"{standard}-1" for standard in sorted(STANDARDS)),
        *sorted(LOOKALIKES),
        "UTF-8", "SHA-256", "ISO-8601", "ISO-8859-1", "GPT-4", "GPT-4o", "RFC-2119", "UTF-16LE",
        "CVE-2024-12345", "COVID-19",
    ],
)  # fmt: skip
def test_standards_and_lookalikes_are_no_issues(text):
    assert KEYS.found_in(f"about {text}, you know") == []


@pytest.mark.parametrize("text", ["UTF-8", "SHA-256", "MD-5"])
def test_team_keys_decide_alone(text):
    team = text.partition("-")[0]
    assert IssueKeys(team_keys=[team]).found_in(f"{text} AI-1") == [text]


@given(keys)
def test_only_the_named_teams_issues_count(key):
    team = key.partition("-")[0]
    assert IssueKeys(team_keys=[team, "OTHER"]).found_in(key) == [key]
    assert IssueKeys(team_keys=[f"{team}X"]).found_in(key) == []


# --- a pattern of one's own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"#\d+", "see #12, #7 and x#9", ["#12", "#7"]),
        (r"[a-z]+-\d+", "ana/ai-1799-fix", ["AI-1799"]),
        (r"(?i)ai-\d+", "Ai-1 aI-1 AI-2", ["AI-1", "AI-2"]),
        (r"(AI|DMD)-\d+", "AI-1 DMD-2 X-3", ["AI-1", "DMD-2"]),
        (r"AI-1|DMD-2", "AI-1 DMD-2 DMD-22", ["AI-1", "DMD-2"]),
        (r"PROJ_[A-Z]+-\d+", "PROJ_A-1", ["PROJ_A-1"]),
        (r"[A-Z]+-\d+", f"{'A' * 48}-1 {'A' * 49}-1", [f"{'A' * 48}-1"]),  # R1: at most 50
        (r"AI-\d+", "AI-١", []),  # digits stay ASCII
        (r"\w+-\d+", "é-1 ß-1 ﬁ-1 a-1", ["A-1"]),
        (r"[a-zßﬁ]+-\d+", "ß-1 ﬁ-1", []),  # in upper case they would be SS-1 and FI-1
        (r"\s?AI-\d+\s?", "(AI-1), AI-2 now", ["AI-1"]),  # a blank belongs to no id
        (r"(?=-)", "a - b", []),
    ],
)
def test_a_pattern_of_ones_own_finds_whole_words_that_can_be_ids(pattern, text, found):
    assert IssueKeys(pattern).found_in(text) == found


@pytest.mark.parametrize(
    "pattern",
    ["[", "(", "a{2,1}", "*", r"(?P<x>a)(?P=y)", r"AI-\d+)|(?:X-\d+", "AI-1)(?:", "(?<=a", "\\"],
)
def test_what_is_no_regular_expression_is_refused(pattern):
    with pytest.raises(InvalidIssuePatternError, match="is no regular expression"):
        IssueKeys(pattern)


@pytest.mark.parametrize("pattern", ["A*", "", " ?", "^", "$", "|A-1", "(AI-1)?"])
def test_a_pattern_that_matches_nothing_at_all_is_refused(pattern):
    if pattern:
        with pytest.raises(InvalidIssuePatternError, match="matches the empty text"):
            IssueKeys(pattern)
    else:
        assert IssueKeys(pattern).found_in("AI-1") == ["AI-1"]  # no pattern is the built-in one


def test_a_careless_pattern_finds_what_it_finds_in_time(monkeypatch):
    monkeypatch.setattr(issue_keys, "SEARCH_TIMEOUT_SECONDS", 0.01)
    careless = IssueKeys(r"AI-\d+|(?:A|AA)+-\d+")
    assert careless.found_in("AI-1 " + "A" * 4000) == ["AI-1"]


# --- what a word of a command names --------------------------------------------------------------


@given(keys)
def test_a_word_names_an_issue_in_either_case(key):
    assert KEYS.named_by(key) == KEYS.named_by(key.lower()) == KEYS.named_by(key.title()) == key


@pytest.mark.parametrize(
    "word",
    ["", "AI", "AI-1 AI-2", "AI-1,", "(AI-1)", "AI-1\n", "UTF-8", "ß-1", "ﬁ-1", "ı-1", "\ud800"],
)
def test_a_word_that_is_more_or_less_than_a_key_names_none(word):
    assert KEYS.named_by(word) is None


def test_a_word_names_an_issue_by_a_pattern_in_lower_case_too():
    # The buttons of cards carry keys in upper case.
    assert IssueKeys(r"[a-z]+-\d+").named_by("AI-1") == "AI-1"
    assert IssueKeys(r"Ai-\d+").named_by("Ai-1") == "AI-1"


@given(hostile_texts)
def test_no_word_is_too_hostile_to_be_asked(word):
    named = KEYS.named_by(word)
    assert named is None or named == word.upper()
