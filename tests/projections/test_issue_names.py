"""Names of issues against a world in which issues move, swap names and are imported."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.as_of import ALWAYS, ENDLESS, KeySpan
from projections.issue_names import Claim, Names


class Linear:
    """Issues whose identifiers change; each change is observed when it happens."""

    def __init__(self) -> None:
        self.now = 0
        self.numbers = 0
        self.names: dict[int, list[str]] = {}
        """Of each issue, by its number: its names in order."""
        self.uuids: dict[int, str] = {}
        self.claims: list[Claim] = []
        self.touches: list[tuple[str, int, int]] = []
        """Key, instant and issue."""
        self.holders: dict[str, int] = {}
        """The issue that has each key, or had it last."""

    def call(self, issue: int, name: str) -> None:
        self.names.setdefault(issue, []).append(name)
        self.holders[name] = issue
        self.observe(issue)

    def observe(self, issue: int) -> None:
        *former, name = self.names[issue]
        uuid = self.uuids.setdefault(issue, f"uuid-{issue}")
        self.claims.append(Claim(uuid, self.now, name, tuple(dict.fromkeys(former))))

    def new_name(self, team: str) -> str:
        self.numbers += 1
        return f"{team}-{self.numbers}"

    def touch(self, issue: int, name: int) -> None:
        """Use one of the names that it has or had, which may have become another issue's."""
        key = self.names[issue][name % len(self.names[issue])]
        self.touches.append((key, self.now, self.holders[key]))

    def do(self, deed: str, a: int, b: int) -> None:
        self.now += 10
        issues = sorted(self.names)
        if deed == "open" or not issues:
            self.call(len(issues), self.new_name("AI"))
            return
        one, other = issues[a % len(issues)], issues[b % len(issues)]
        match deed:
            case "move":
                self.call(one, self.new_name("DMD"))
            case "swap" if one != other:
                first, second = self.names[one][-1], self.names[other][-1]
                self.call(one, second)
                self.call(other, first)
            case "import":
                self.uuids[one] = f"uuid-{one}-{len(self.claims) % 20}"
                self.observe(one)
            case "look":
                self.observe(one)
            case "touch":
                self.touch(one, b)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["open", "move", "swap", "import", "look", "touch", "touch", "touch"]),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=40,
)


def lived(deeds) -> Linear:
    linear = Linear()
    for deed in deeds:
        linear.do(*deed)
    return linear


@given(DEEDS, st.randoms(use_true_random=False))
def test_each_touch_is_of_the_issue_that_its_key_named_then(deeds, dice):
    linear = lived(deeds)
    dice.shuffle(linear.claims)
    names = Names(linear.claims)
    for key, at, issue in linear.touches:
        assert names.name(key, at) == linear.names[issue][-1]


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
