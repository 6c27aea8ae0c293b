"""A world in which issues move, swap names and are imported, and are touched meanwhile."""

from hypothesis import strategies as st

from projections.issue_names import Claim


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
        self.held_since: dict[str, list[tuple[int, int]]] = {}
        """Of each key: the issues that had it, each from an instant on."""

    def call(self, issue: int, name: str) -> None:
        self.names.setdefault(issue, []).append(name)
        self.holders[name] = issue
        self.held_since.setdefault(name, []).append((self.now, issue))
        self.observe(issue)

    def held(self, name: str, at: int) -> int:
        """The issue that had the key at an instant, or that was the first to have it."""
        owners = self.held_since[name]
        return max((each for each in owners if each[0] <= at), default=owners[0])[1]

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
