"""Text: ids are kept or refused, contexts are cleaned and cut at graphemes (R1)."""

import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import InvalidInteractionError
from ledger.validation import context_of, display_name_of, issue_id_of, linear_id_of, user_id_of
from tests.support import strategies

UNSAFE = {"Cc", "Cf", "Cs"}

ascii_texts = st.text(st.characters(max_codepoint=127), max_size=60)
plain_texts = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs")), max_size=120)
any_texts = strategies.hostile_texts | plain_texts | ascii_texts
printable_ascii = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=50
)
refused_user_ids = st.builds(
    "{}{}{}".format,
    st.text("abcdé", min_size=3, max_size=9),
    st.sampled_from(["\0", "\x7f", "\u200d", "\u202e", "\ud800", "e\u0301", "x" * 101]),
    plain_texts,
)


def is_user_id(text: str) -> bool:
    """R1, in the words of another library's tables."""
    return (
        1 <= len(text) <= 100
        and not any(unicodedata.category(character) in UNSAFE for character in text)
        and unicodedata.normalize("NFC", text) == text
    )


def is_issue_id(text: str) -> bool:
    """R1: printable ASCII, space to tilde; a blank at an end is a slip."""
    return (
        1 <= len(text) <= 50 and all(" " <= each <= "~" for each in text) and text == text.strip()
    )


# --- user ids ------------------------------------------------------------------------------------


@given(any_texts)
@example("")
@example("u" * 100)
@example("u" * 101)
@example("e\u0301")
@example("\u212b")
@example("a\u200db")
@example("a\x7fb")
def test_a_user_id_is_kept_as_it_is_or_refused(text):
    if is_user_id(text):
        assert user_id_of(text) == text
    else:
        with pytest.raises(InvalidInteractionError, match=r"^Invalid user_id: "):
            user_id_of(text)


@given(st.lists(any_texts, unique=True))
def test_two_users_are_never_merged(texts):
    accepted = [text for text in texts if is_user_id(text)]
    assert len({user_id_of(text) for text in accepted}) == len(accepted)


@given(refused_user_ids)
def test_a_refusal_does_not_repeat_the_user_id(text):
    with pytest.raises(InvalidInteractionError) as refused:
        user_id_of(text)
    assert ascii(text)[1:-1] not in ascii(str(refused.value))


# --- issue ids -----------------------------------------------------------------------------------


@given(any_texts)
@example("")
@example("A" * 50)
@example("A" * 51)
@example("ai-\u0661")
@example("AI-1 ")
@example("AI-1\n")
@example("AI-\x7f")
@example("ß-1")
def test_an_issue_id_is_upper_cased_or_refused(text):
    if is_issue_id(text):
        assert issue_id_of(text) == text.upper()
    else:
        with pytest.raises(InvalidInteractionError, match=r"^Invalid issue_id: "):
            issue_id_of(text)


@given(printable_ascii.map(lambda text: text.strip() or "A"))
def test_the_case_of_an_issue_id_makes_no_difference(text):
    assert issue_id_of(text.lower()) == issue_id_of(text.upper()) == issue_id_of(issue_id_of(text))


# --- linear ids ----------------------------------------------------------------------------------


@given(any_texts | st.none())
def test_a_linear_id_is_stored_as_given_or_not_at_all(text):
    assert linear_id_of(text) in (text, None)


@given(any_texts)
def test_a_linear_id_that_is_stored_can_be_stored(text):
    stored = linear_id_of(text)
    if stored is not None:
        assert 1 <= len(stored) <= 100
        assert "\0" not in stored
        assert stored.encode().decode() == stored


@given(printable_ascii)
def test_a_plain_linear_id_is_stored(text):
    assert linear_id_of(text) == text


def test_a_linear_id_of_101_characters_is_not_stored():
    assert linear_id_of("x" * 100) == "x" * 100
    assert linear_id_of("x" * 101) is None


# --- contexts ------------------------------------------------------------------------------------


def cleaned(text: str) -> str:
    """The whole text as R1 cleans it, before anything is cut off."""
    kept = (each for each in text if each not in strategies.FORBIDDEN_IN_CONTEXT)
    return unicodedata.normalize("NFC", "".join(kept))


def boundaries(text: str) -> set[int]:
    """Where a text may be cut: between the graphemes of the whole of it, and at its ends."""
    return {0, *(grapheme.end() for grapheme in regex.finditer(r"\X", text))}


@given(strategies.hostile_texts)
def test_cleaning_a_clean_context_changes_nothing(text):
    once = context_of(text)
    assert context_of(once) == once


@given(strategies.hostile_texts)
def test_a_context_is_nfc_and_at_most_200_characters_of_what_is_allowed(text):
    context = context_of(text) or ""
    assert len(context) <= 200
    assert unicodedata.is_normalized("NFC", context)
    assert strategies.FORBIDDEN_IN_CONTEXT.isdisjoint(context)
    context.encode()


@given(strategies.hostile_texts)
@example("\0")
@example("e\u202e\u0301" * 201)
@example("a" * 199 + "\r\n")
@example("a" * 199 + "e\u0301")
@example("a" * 199 + "q\u0323\u0307")
@example("a" * 198 + "\U0001f468\u200d\U0001f469\u200d\U0001f467")
@example("a" * 199 + "\U0001f1e9\U0001f1ea\U0001f1e9")
@example("a" * 199 + "\u1100\u1161\u11a8")
def test_a_context_is_the_longest_beginning_of_the_cleaned_text_that_ends_with_a_grapheme(text):
    whole = cleaned(text)
    longest = max(end for end in boundaries(whole) if end <= 200)
    assert context_of(text) == (whole[:longest] or None)


@given(strategies.hostile_texts.map(lambda text: cleaned(text)[:200]))
@example("")
def test_a_short_clean_text_is_its_own_context(clean):
    assert context_of(clean) == (clean or None)


@given(strategies.hostile_texts, strategies.hostile_texts)
def test_what_follows_the_first_300_characters_does_not_matter(beginning, rest):
    begun = "x" * 300 + beginning
    assert context_of(begun + rest) == context_of(begun) == "x" * 200


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("c" * 300, "c" * 200),
        ("c" * 200, "c" * 200),
        ("e\u0301" * 300, "é" * 200),
        ("a" * 199 + "\r\n", "a" * 199),
        ("a" * 199 + "q\u0323", "a" * 199),
        ("👨‍👩‍👧‍👦" * 30, "👨‍👩‍👧‍👦" * 28),
        ("\u202edesrever", "desrever"),
        ("e\u202e\u0301", "é"),
        ("a\0b\ud800c", "abc"),
        ("a\0b", "ab"),
        ("z" + "\u0335" * 300, None),
        ("\0\u200f", None),
        ("", None),
        (None, None),
    ],
)
def test_contexts_by_example(text, context):
    assert context_of(text) == context


# --- display names -------------------------------------------------------------------------------


@given(strategies.hostile_texts)
@example("a" * 99 + " b")
@example("x\u0085y")
@example("\u0301" * 300)
def test_a_display_name_is_one_clean_line_that_ends_with_a_grapheme(text):
    name = display_name_of(text)
    if name is None:
        return
    assert is_user_id(name)
    assert name == " ".join(name.split())
    assert display_name_of(name) == name
    whole = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(whole) <= 100 and not any(unicodedata.category(each) in UNSAFE for each in whole):
        assert name == whole


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, None),
        ("", None),
        ("\u202e \n", None),
        ("  Ana\n María ", "Ana María"),
        ("A\u202ena", "Ana"),
        ("Zoe\u0308", "Zoë"),
        ("a" * 99 + "q\u0323\u0307", "a" * 99),
    ],
)
def test_display_names_by_example(text, name):
    assert display_name_of(text) == name
