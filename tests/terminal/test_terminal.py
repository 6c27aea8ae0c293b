"""The terminal: who speaks, what is saved where, and input that is no text or is not there."""

import errno
import io
import subprocess

import pytest
from hypothesis import given

from bot.terminal.chat import YOU, Screen, speaker_of
from tests.support.command_line import ENGAGEMENT, CommandLine
from tests.support.strategies import hostile_texts

PATIENCE_SECONDS = 60


@pytest.mark.parametrize(
    ("line", "speaker"),
    [
        ("How is AI-1?", (YOU, "How is AI-1?")),
        ("@ana: AI-1", ("ana", "AI-1")),
        ("@Zoë:AI-1", ("Zoë", "AI-1")),
        ("@ana:", ("ana", "")),
        ("@ana AI-1", (YOU, "@ana AI-1")),
        ("@engagement_bot AI-1: how?", (YOU, "@engagement_bot AI-1: how?")),
        ("@: AI-1", (YOU, "@: AI-1")),
        (f"@{'a' * 33}: x", (YOU, f"@{'a' * 33}: x")),
    ],
)
def test_a_line_is_yours_unless_it_names_who_speaks(line, speaker):
    assert speaker_of(line) == speaker


@given(hostile_texts)
def test_every_line_has_a_speaker(line):
    name, text = speaker_of(line)
    assert name
    assert line.endswith(text)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("AI-1.png", "AI-1.png"),
        ("../../x.png", ".._.._x.png"),
        ("/etc/passwd", "_etc_passwd"),
        ("a b\n\0.json", "a_b__.json"),
        ("ü\u202e.png", "__.png"),
    ],
)
def test_a_file_is_saved_in_its_folder_whatever_it_is_called(tmp_path, name, called):
    screen = Screen(print, tmp_path / "saved")
    assert screen._saved(7, name, b"1") == tmp_path / "saved" / "7" / called
    assert (tmp_path / "saved" / "7" / called).read_bytes() == b"1"


def test_no_file_is_written_over(tmp_path):
    screen = Screen(print, tmp_path)
    names = [screen._saved(7, "top.png", bytes([number])).name for number in range(3)]
    assert names == ["top.png", "top-2.png", "top-3.png"]
    assert [(tmp_path / "7" / name).read_bytes() for name in names] == [b"\0", b"\1", b"\2"]


class Unreadable(io.BytesIO):
    def read(self, _: int | None = -1) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_cannot_be_saved_is_told_and_no_half_of_it_is_left(tmp_path):
    shown: list[str] = []
    Screen(shown.append, tmp_path)._save(7, "top.png", Unreadable(b"1"))
    (line,) = shown
    assert line.startswith(f"[not saved in {tmp_path}: No space left on device. Fix that")
    assert list((tmp_path / "7").iterdir()) == []


# --- input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii"])
def test_a_byte_that_is_no_text_ends_no_conversation(tmp_path, encoding):
    done = CommandLine(tmp_path).process(
        "chat", stdin=b"AI-1\n\xff AI-2\nAI-3\n", PYTHONIOENCODING=encoding
    )
    assert done.code == 0
    assert all(f"AI-{number} · score 0.680" in done.out for number in (1, 2, 3))


def test_a_closed_input_has_ended(tmp_path):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *ENGAGEMENT, "chat"],  # noqa: S607 - any shell will do
        cwd=tmp_path,
        env=CommandLine(tmp_path).environment(),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("line", ["@ana:", "@ana:  "])
def test_a_line_that_only_names_who_speaks_is_asked_for_its_text(tmp_path, line):
    done = CommandLine(tmp_path).forked("chat", stdin=f"{line}\n@ana: AI-1\n".encode())
    assert done.code == 0
    assert "write a message after `@ana:`" in done.out
    assert "AI-1 · score 0.680" in done.out
