"""Names of issues against a world in which issues move, swap names and are imported."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.as_of import ALWAYS, ENDLESS, KeySpan
from projections.issue_names import Claim, Names
from tests.support.moving_issues import DEEDS, lived


@given(DEEDS, st.randoms(use_true_random=False))
def test_each_touch_is_of_the_issue_that_its_key_named_then(deeds, dice):
    linear = lived(deeds)
    dice.shuffle(linear.claims)
    names = Names(linear.claims)
    for key, at, issue in linear.touches:
        assert names.name(key, at) == linear.names[issue][-1]


@given(DEEDS, st.randoms(use_true_random=False))
def test_each_touch_leads_to_the_present_uuid_of_its_issue(deeds, dice):
    linear = lived(deeds)
    dice.shuffle(linear.claims)
    names = Names(linear.claims)
    for key, at, issue in linear.touches:
        assert names.issue(key, at) == linear.uuids[issue]
    assert names.issue("NEVER-1") is None


@given(DEEDS)
def test_a_present_name_names_its_own_issue(deeds):
    linear = lived(deeds)
    names = Names(linear.claims)
    for own in linear.names.values():
        assert names.name(own[-1]) == own[-1]


@given(DEEDS)
def test_every_touch_is_in_one_span_of_its_issue_and_in_no_other(deeds):
    linear = lived(deeds)
    names = Names(linear.claims)
    for key, at, issue in linear.touches:
        of_name = {
            own[-1]: sum(span.key == key and span.covers(at) for span in names.spans(own[-1]))
            for own in linear.names.values()
        }
        assert of_name == {name: int(name == linear.names[issue][-1]) for name in of_name}


@given(DEEDS, st.randoms(use_true_random=False))
def test_moves_that_were_not_seen_are_known_by_the_former_names(deeds, dice):
    linear = lived(deed for deed in deeds if deed[0] not in {"swap", "import"})
    unseen = set(dice.sample(linear.claims, len(linear.claims) // 2))
    claims = [claim for claim in linear.claims if claim not in unseen]
    linear.claims.clear()
    for issue in linear.names:
        linear.observe(issue)
    names = Names([*claims, *linear.claims])
    for key, at, issue in linear.touches:
        assert names.name(key, at) == linear.names[issue][-1]


CLAIMS = st.lists(
    st.builds(
        Claim,
        st.sampled_from("xyz"),
        st.integers(0, 6),
        st.sampled_from(["A-1", "A-2", "B-1"]),
        st.lists(st.sampled_from(["A-1", "A-2", "B-1", "B-2"]), max_size=2).map(tuple),
    ),
    max_size=8,
)
KEYS = ["A-1", "A-2", "B-1", "B-2", "C-1"]


@given(CLAIMS, st.integers(-1, 8))
def test_the_spans_of_all_issues_part_each_key_for_any_claims(claims, at):
    names = Names(claims)
    for key in KEYS:
        owner = names.name(key, at)
        all_names = {names.name(each, when) for each in KEYS for when in (None, *range(-1, 8))}
        held = [
            name
            for name in all_names
            for span in names.spans(name)
            if span.key == key and span.covers(at)
        ]
        assert held == [owner]


@given(CLAIMS)
def test_names_are_names_of_themselves(claims):
    names = Names(claims)
    for key in KEYS:
        assert names.name(names.name(key)) == names.name(key)


@given(CLAIMS)
def test_keys_that_did_not_move_are_their_own_and_whole(claims):
    names = Names(claims)
    assert bool(names) == bool(names.moved)
    for key in set(KEYS) - names.moved:
        assert names.name(key) == key
        assert names.spans(key) == (KeySpan(key, ALWAYS, ENDLESS),)


def test_without_claims_every_key_names_itself():
    names = Names()
    assert not names
    assert names.name("AI-1", 5) == "AI-1"
    assert names.spans("AI-1") == (KeySpan("AI-1"),)
