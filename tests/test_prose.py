"""The prose check catches each mannerism wherever prose stands, and leaves code alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import prose

PAGE = "# A page\n\nIt begins plainly.\n\nHere {}, as it were.\n"
MODULES = {
    "docstring": '"""A module.\n\nHere {}, as it were.\n"""\n',
    "attribute": 'LIMIT = 1\n"""Here {}, as it were."""\n',
    "comment": "value = 1\n\n# Plainly first,\n# then {}, as it were.\n",
    "message": 'message = "Here {}, as it were"\n',
    "f-string": 'name = "a"\nmessage = f"Here {{name}} {}, as it were"\n',
}


def found(path: str, source: str) -> list[str]:
    return list(prose.complaints(path, source))


@pytest.mark.parametrize("each", prose.ANYWHERE, ids=lambda each: each.example)
@pytest.mark.parametrize("place", MODULES)
def test_a_mannerism_in_a_module_is_caught(each, place):
    (complaint,) = found("a.py", MODULES[place].format(each.example))
    assert complaint.startswith("a.py:")
    assert each.instead in complaint


@pytest.mark.parametrize("each", prose.ANYWHERE, ids=lambda each: each.example)
def test_a_mannerism_in_a_page_is_caught_on_its_line(each):
    (complaint,) = found("a.md", PAGE.format(each.example))
    assert complaint.startswith("a.md:5:")


@pytest.mark.parametrize("each", prose.ANYWHERE, ids=lambda each: each.example)
def test_a_mannerism_is_caught_across_lines_and_in_capitals(each):
    broken = each.example.upper().replace(" ", "\n")
    assert len(found("a.md", PAGE.format(broken))) == 1
    assert len(found("a.py", MODULES["docstring"].format(broken))) == 1


def test_a_mannerism_is_caught_across_joined_strings_and_comment_lines():
    assert len(found("a.py", 'message = (\n    "they are "\n    "gone"\n)\n')) == 1
    assert len(found("a.py", "# they are\n# gone\nvalue = 1\n")) == 1


@pytest.mark.parametrize("each", prose.OPENINGS, ids=lambda each: each.example)
@pytest.mark.parametrize("place", ["class Kept:", "def kept():", "KEPT = 1"])
def test_an_opening_is_caught_in_docstrings_alone(each, place):
    indent = "" if place.endswith("1") else "    "
    (complaint,) = found("a.py", f'{place}\n{indent}"""{each.example}"""\n')
    assert complaint.startswith("a.py:2:")
    assert found("a.py", f"{place}\n{indent}value = {each.example!r}\n") == []
    assert found("a.md", f"{each.example}\n") == []


@pytest.mark.parametrize("docstring", ["Return the last run.", "The last run.", "Last run"])
def test_a_docstring_that_only_repeats_the_name_is_caught(docstring):
    assert len(found("a.py", f'def last_run():\n    """{docstring}"""\n')) == 1
    assert len(found("a.py", f'def _last_run():\n    """{docstring}"""\n')) == 1
    assert found("a.py", f'def previous():\n    """{docstring}"""\n') == []


def test_code_is_no_prose():
    assert found("a.py", "def nobody(whoever):\n    return whoever.everybody\n") == []
    assert found("a.py", '"""The module `everybody` of the store."""\n') == []
    assert found("a.md", "See `ledger/store/event_queries.py`.\n") == []


def test_plain_words_are_left_alone():
    assert found("a.md", "Beside the database lie its files, beside the live table others.") == []
    assert found("a.md", "A stream of Telegram's own updates tells the bot what is new.") == []


def test_a_misspelling_is_caught_in_code_and_pages_alike(tmp_path):
    shutil.copy(prose.ROOT / "pyproject.toml", tmp_path)
    for name in ("module.py", "docs/page.md", ".github/template.md", ".venv/library.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# t{}h end\n".format("e"))  # not misspelt here
    codespell = Path(sys.executable).with_name("codespell")
    done = subprocess.run([codespell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    found = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert found == {"./module.py", "./docs/page.md", "./.github/template.md"}


def test_all_files_are_plain(capsys):
    assert prose.main() == 0, capsys.readouterr().out
