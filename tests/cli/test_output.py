"""Tables and text: nothing of them is cut, at any width of the terminal."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bot.cli import output
from bot.cli.output import show_text
from bot.cli.text_tables import table_lines

WORDS = st.text("abcdé漢 ", max_size=40).map(lambda text: text.strip() or "漢")
CELLS = st.one_of(WORDS, st.none(), st.floats(0, 1), st.integers(0, 10**6))


@st.composite
def tables(draw):
    size = draw(st.integers(1, 6))
    columns = draw(st.lists(WORDS, min_size=size, max_size=size))
    row = st.tuples(*[CELLS] * (size - 1), WORDS)
    return columns, draw(st.lists(row, min_size=1, max_size=5))


def letters(lines):
    return sorted("".join(lines).replace(" ", ""))


@given(tables(), st.integers(1, 200))
def test_a_table_has_the_same_letters_at_any_width(table, width):
    columns, rows = table
    shown, whole = (letters(table_lines(columns, rows, each)) for each in (width, 10_000))
    names = "".join(columns).replace(" ", "") * (len(rows) - 1)
    stacked = names + ":" * len(columns) * len(rows)
    assert Counter(whole) <= Counter(shown) <= Counter(whole) + Counter(stacked)


@given(tables(), st.integers(2, 200))
def test_a_table_fits_at_any_width(table, width):
    columns, rows = table
    assert all(cell_len(line) <= width for line in table_lines(columns, rows, width))


def test_a_last_column_with_next_to_no_room_is_not_wrapped_into_shreds():
    columns, rows = ("source", "context"), [("x" * 70, "Is AI-1799 blocked?"), ("y", None)]
    assert list(table_lines(columns, rows, 80)) == [
        *(f"source: {'x' * 70}", "context: Is AI-1799 blocked?"),
        *("", "source: y", "context: –"),
    ]
    assert len(list(table_lines(columns, rows, 95))) == 3


def test_numbers_stand_to_the_right_also_below_what_is_not_known():
    lines = list(table_lines(("score", "of"), [(None, "a"), (0.9, "b")], 80))
    assert lines == ["score  of", "    –  a", "0.900  b"]


def test_text_breaks_between_words_on_a_terminal_alone(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "24")
    for watched, lines in ((False, 1), (True, 2)):
        monkeypatch.setattr(output, "on_terminal", lambda _, watched=watched: watched)
        show_text("  Touched 2 times: 1 query, 1 mention.")
        out = capsys.readouterr().out.splitlines()
        assert len(out) == lines
        assert all(line.startswith("  ") for line in out)
        assert " ".join(map(str.strip, out)) == "Touched 2 times: 1 query, 1 mention."
