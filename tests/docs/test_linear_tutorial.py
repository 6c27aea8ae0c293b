"""The tutorial about Linear is what happens: with a local Linear and a chat that run beside it."""

import shutil

import pytest
from sybil.example import SybilFailure

from tests.support.documents import ROOT
from tests.support.linear_tutorial import tutorial
from tools.reference import SETTINGS

PAGE = ROOT / "docs" / "tutorial-linear.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, without any setting of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial uses curl")
@pytest.mark.usefixtures("folder")
def test_what_the_tutorial_shows_is_what_happens():
    with tutorial() as reader:
        reader.evaluate(PAGE)


def test_a_page_that_shows_something_else_is_noticed(folder):
    other = folder / "page.md"
    other.write_text(PAGE.read_text().replace("◐ In Progress", "○ Todo", 1))
    with tutorial() as reader, pytest.raises(SybilFailure, match="and prints"):
        reader.evaluate(other)
