"""Issue keys: found as whole words wherever people write them, and nothing else taken for one."""

import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from bot.listening import issue_keys
from bot.listening.issue_keys import LOOKALIKES, STANDARDS, InvalidIssuePatternError, IssueKeys
from ledger.validation import issue_id_of
from tests.support.shared_cases import CASES, needs_cases
from tests.support.strategies import hostile_texts

KEYS = IssueKeys()

CLIENTS_PATTERN = r"[A-Z]{1,4}-\d{1,5}"

teams = st.from_regex(r"[A-Z][A-Z0-9]{0,9}", fullmatch=True).filter(lambda t: t not in STANDARDS)
keys = st.builds("{}-{}".format, teams, st.integers(1, 99_999)).filter(
    lambda key: key not in LOOKALIKES
)
surroundings = st.text(
    st.sampled_from(" \n\t.,:;!?()[]{}<>/\\#@*'\"`-+=&$日本語ا²\u200d\ufe0f\U0001f600")
)
CJK = "看日ーあ々ｱ가"


# --- what is found -------------------------------------------------------------------------------


@given(surroundings, keys, surroundings)
@example("", "AI-1799", "")
@example("", "DEVOPS-471", "")
@example("", "PLA4-16916", "")
@example("fix/", "NV-12", "-fix-x")
@example("看", "AI-1799", "吧")
@example("か\u3099", "AI-1", "\n")
@example("1\ufe0f\u20e3", "AI-1", "")
def test_a_key_is_found_between_whatever_is_no_cased_letter_or_digit(before, key, after):
    assert KEYS.found_in(before + key + after) == [key]


@given(st.lists(keys, max_size=10))
def test_each_key_is_found_once_in_the_order_in_which_they_first_stand(several):
    text = ", ".join([*several, *several])
    assert KEYS.found_in(text) == list(dict.fromkeys(several))


def of_category(*names: str) -> list[str]:
    every = map(chr, range(sys.maxunicode + 1))
    return [each for each in every if unicodedata.category(each) in names]


# Of letters without case, which are borders, and of cased letters and decimal digits of any script.
WORDS = st.sampled_from(of_category("Lu", "Ll", "Lt", "Nd"))
CASED_ALL_THE_SAME = regex.compile(r"[\p{Cased}\p{Latin}\p{Greek}\p{Cyrillic}]")  # such as ª and Ⓐ
BORDERS = st.sampled_from(
    [
        each
        for each in of_category("Lo", "Po", "Ps", "Pe", "Zs", "Sm", "So", "Cc")
        if each != "%" and not CASED_ALL_THE_SAME.match(each)
    ]
)
MARKS = st.text(st.sampled_from("\u0308\u0301\u0323"), max_size=3)


@given(keys, WORDS, MARKS)
@example("AI-1", "Ü", "")
@example("AI-1", "U", "\u0308")
@example("I-1799", "А", "")  # Cyrillic
@example("AI-17", "９", "")
def test_a_key_within_a_word_of_any_script_is_none(key, letter, marks):
    assert KEYS.found_in(f"{letter}{marks}{key}") in ([], [f"{letter}{key}"])
    assert KEYS.found_in(f"{key}{letter}{marks}") in ([], [f"{key}{letter}"])
    assert not marks or KEYS.found_in(f"{key}{marks}") == []


@given(BORDERS, keys, BORDERS)
@example("看", "AI-1", "吧")
def test_letters_without_case_and_signs_are_borders(before, key, after):
    assert KEYS.found_in(before + key + after) == [key]


@given(
    keys, st.text(st.sampled_from("_"), min_size=1, max_size=3), st.sampled_from(["x", "(", CJK])
)
def test_an_underscore_is_a_border_unless_a_capital_or_a_digit_stands_before_it(key, line, before):
    assert KEYS.found_in(f"{before}{line}{key}{line}fix") == [key]
    assert KEYS.found_in(f"{line}{key}{line}2") == [key]
    for capital in ("X", "Ü", "9", "MY"):
        assert KEYS.found_in(f"{capital}{line}{key}") == []


@given(teams, st.integers(0, 9_999))
def test_no_number_begins_with_a_zero(team, number):
    assert KEYS.found_in(f"{team}-0{number} {team}-0 {team}-00{number}") == []


@given(st.lists(keys, min_size=1, max_size=5), st.integers(1, 3))
def test_an_address_is_read_as_what_its_escapes_stand_for(several, times):
    query = f'"{"|".join(several)}" ÜX-7 日{several[0]}'
    for _ in range(times):
        query = quote(query, safe="")
    assert KEYS.found_in(f"see https://x.example/?q={query} now") == list(dict.fromkeys(several))


SPEED = [
    " ".join(f"AI-{number}" for number in range(1, 2_001)),
    *(
        f"{unit * 40_000} AI-9"
        for unit in ("A", "_", "A_", "A-", "_A", "a\u0301", "A1-1", "9", "%2/")
    ),
    f"A{'_' * 100_000} AI-9",
    "a" + "\u0301" * 60_000 + " AI-9",
    f"https://x.example/{'%22' * 40_000} AI-9",
]


@pytest.mark.parametrize("text", SPEED, ids=range(len(SPEED)))
@pytest.mark.parametrize("finder", [KEYS, IssueKeys(team_keys=["AI"])], ids=["any", "teams"])
def test_no_text_takes_more_than_its_length(finder, text):
    # What takes longer than SEARCH_TIMEOUT_SECONDS is not found: a search whose time grew with the
    # square of these lengths would take minutes.
    assert finder.found_in(text)[-1:] == ["AI-2000" if text.endswith("AI-2000") else "AI-9"]


@given(hostile_texts | st.lists(keys | hostile_texts, max_size=8).map("".join))
def test_whatever_is_found_stands_in_the_text_and_is_an_issue_id(text):
    found = KEYS.found_in(text)
    assert len(set(found)) == len(found)
    for key in found:
        assert key in text
        assert issue_id_of(key) == key
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,9}-[1-9][0-9]{0,4}", key)


@given(st.text(st.sampled_from("A10-_ aÜ日٣")))
def test_what_is_found_is_what_a_simple_scan_finds(text):
    assert KEYS.found_in(text) == list(dict.fromkeys(scanned(text)))


def scanned(text: str) -> list[str]:
    """The keys in a text, tried at each place from the longest on."""
    found, at = [], 0
    while at < len(text):
        key = next((text[at:end] for end in range(len(text), at, -1) if is_key(text, at, end)), "")
        found += [key] if key else []
        at += len(key) or 1
    return found


def is_key(text: str, at: int, end: int) -> bool:
    name = text[:at].rstrip("_") if text[:at].endswith("_") else ""
    return (
        re.fullmatch("[A-Z][A-Z0-9]{0,9}-[1-9][0-9]{0,4}", text[at:end]) is not None
        and not re.match("[A-Za-z0-9Ü٣]", text[at - 1 : at])
        and not re.match("[A-Za-z0-9Ü٣]", text[end : end + 1])
        and not re.match("[A-Z0-9Ü٣]", name[-1:])
    )


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
        ("NV-12_fix", ["NV-12"]),
        ("feature_NV-12 _NV-13_ branch/NV-14_2", ["NV-12", "NV-13", "NV-14"]),
        ("MY_PROJECT-7 MY__PROJECT-7 V2_AI-1 ÜBER_AI-1", []),
        ("ÄRA-12 U\u0308BER-7 Œ-3 ΑAI-1 ＡI-1", []),
        ("⚠️AI-1 1️⃣AI-2 サーバーAI-3の か\u3099AI-4가", ["AI-1", "AI-2", "AI-3", "AI-4"]),
        ("https://x.example/s?q=%22AI-31%22", ["AI-31"]),
        ("x.example/?jql=key%3DAI-32&back=%2Fissue%2FAI-33", ["AI-32", "AI-33"]),
        ("x.example/?q=%C3%9CBER-12 x.example/%E6%97%A5AI-1", ["AI-1"]),
        ("x.example/?q=%FCber&key%3DAI-1", ["AI-1"]),  # no UTF-8
        ("20%DE-12 and 100%AI-1", ["DE-12", "AI-1"]),  # no escapes
        ("NV-12fix", []),
        ("Kafka's KAFKA-123 only", ["KAFKA-123"]),
        ("AKAFKAKAFKA-123", []),
        ("AI-1 AI-01 AI-1 AI-0", ["AI-1"]),
        ("AI-123456", []),
        ("AI-", []),
        ("-1", []),
        ("AI - 1", []),
        ("AI–1 AI−1 AI‐1", []),  # dashes, a minus and a typographic hyphen are no hyphens
        ("AI-١٢٣ AI-１２３ AI-1² AI-2٣ AI-17９９", ["AI-1"]),  # only ASCII digits are digits
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


configured = st.from_regex(r"[A-Z0-9]{0,12}[A-Z][A-Z0-9]{0,12}", fullmatch=True)


@given(configured, st.integers(1, 99_999))
def test_only_the_named_teams_issues_count_in_either_case(team, number):
    key = f"{team}-{number}"
    named, other = IssueKeys(team_keys=[team, "OTHER"]), IssueKeys(team_keys=[f"{team}X"])
    for written in (key, key.lower(), key.title()):
        assert named.found_in(f"ana/{written}-fix") == [key]
        assert other.found_in(written) == []


@given(
    st.lists(keys, min_size=1, max_size=5, unique=True), st.sampled_from(["AI", "X1"]), st.data()
)
def test_keys_of_other_teams_are_named_and_do_not_count(several, team, data):
    own = data.draw(st.lists(st.integers(1, 9).map(f"{team}-{{}}".format), unique=True))
    text = ", ".join(data.draw(st.permutations([*several, *own])))
    for finder in (IssueKeys(team_keys=[team]), IssueKeys()):
        if not finder.are_in_either_case:
            finder.teams_in_linear = frozenset({team})
        named = finder.named_in(text)
        assert set(named) == {*several, *own}
        assert named == sorted(named, key=text.index)
        assert list(filter(finder.counts, named)) == IssueKeys(team_keys=[team]).found_in(text)


@given(keys)
def test_a_single_word_names_a_key_in_either_case_where_teams_are_known(key):
    finder = IssueKeys(team_keys=["A1A1"])
    for written in (key, key.lower(), f"“{key.title()}”?"):
        assert finder.named_in(written) == [key]
        assert IssueKeys().named_in(written) == IssueKeys().found_in(written)
    assert finder.named_in(f"about {key.lower()}") == []
    assert not finder.counts(key)


def test_teams_that_begin_with_a_digit_make_no_keys_of_dates_and_numbers():
    some = IssueKeys(team_keys=["7B", "3RD", "88X"])
    text = "7B-12, 3rd-5 and x/88X-7 on 2026-07, call 555-1234 or 1-88-7, not 77B-1"
    assert some.found_in(text) == ["7B-12", "3RD-5", "88X-7"]


# --- a pattern of one's own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"#\d+", "see #12, #7 and x#9", ["#12", "#7"]),
        (
            r"AI-\d+",
            "AI-007 ÜAI-1 日AI-2",
            ["AI-007", "AI-2"],
        ),  # zeros are the pattern's own matter
        (r"(?i)ai-\d+", "my_Ai-1 MY_Ai-2", ["AI-1"]),  # its flags change no border
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
    with pytest.raises(InvalidIssuePatternError, match="is not a regular expression"):
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
    [
        *("", "AI", "AI-1 AI-2", "AI-1/AI-2", "UTF-8", "ß-1", "ﬁ-1", "ı-1", "\ud800"),
        *("2026-jan-5", "AI-007", "éAI-1"),
    ],
)
def test_a_word_that_names_no_issue_or_several_names_none(word):
    assert KEYS.named_by(word) is None


@given(keys, st.sampled_from(["{}.", "#{}", "{},", "«{}»", "({})", "{}?!", "“{}”", "`{}`", "{}\n"]))
def test_a_word_is_read_with_its_punctuation_as_a_sentence_is(key, around):
    assert KEYS.named_by(around.format(key)) == key
    assert KEYS.named_by(around.format(key.lower())) == key
    assert KEYS.found_in(around.format(key)) == [key]


def test_a_word_names_an_issue_by_a_pattern_in_lower_case_too():
    # The buttons of cards carry keys in upper case.
    assert IssueKeys(r"[a-z]+-\d+").named_by("AI-1") == "AI-1"
    assert IssueKeys(r"Ai-\d+").named_by("Ai-1") == "AI-1"


@given(hostile_texts)
def test_no_word_is_too_hostile_to_be_asked(word):
    named = KEYS.named_by(word)
    assert named is None or named in word.upper()


# --- teams that Linear names ---------------------------------------------------------------------


def told(teams: Iterable[str], **how: Any) -> IssueKeys:
    keys = IssueKeys(**how)
    keys.teams_in_linear = frozenset(teams)
    return keys


def test_keys_of_teams_in_linear_are_found_in_either_case_and_only_they_count():
    keys = told(["AI", "ISO", "4U"])
    found = keys.found_in("PS-5 ai-1 AI-1 iso-9 UTF-8 4u-7 web-2 maid-3")
    assert found == ["PS-5", "AI-1", "ISO-9", "4U-7"]
    assert [key for key in found if keys.counts(key)] == ["AI-1", "ISO-9", "4U-7"]


@given(hostile_texts | st.text("aA1-U4 5", max_size=40))
def test_teams_in_linear_take_no_key_away_and_without_them_all_count(text):
    plain, keys = IssueKeys(), told(["A", "AU"])
    assert set(plain.found_in(text)) <= set(keys.found_in(text))
    assert all(map(plain.counts, plain.found_in(text)))
    lower = IssueKeys(team_keys=["A", "AU"])
    assert [key for key in keys.found_in(text) if keys.counts(key)] == lower.found_in(text)


# --- what strangers wrote ------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize(
    ("name", "team_keys", "found"),
    [
        (
            "09-team-key-with-leading-digit.txt",
            ("4U", "2ENG", "601F"),
            ["4U-12", "2ENG-123", "601F-7"],
        ),
        ("11-underscore-after-or-before.txt", (), ["AI-1799", "ABC-123", "ABC-124"]),
        ("13-cut-out-of-latin-word.txt", (), []),
        ("15-leading-zeros.txt", (), ["AI-7"]),
    ],
)
def test_the_cases_of_strangers_are_read_rightly(name, team_keys, found):
    assert IssueKeys(team_keys=team_keys).found_in((CASES / name).read_text("utf-8")) == found
