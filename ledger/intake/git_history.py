"""Histories in git: commits read as a stream, and the user ids of their authors' addresses."""

import codecs
import csv
import io
import os
import re
import shutil
import string
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from ledger.commands import FOREVER
from ledger.commits import Commit, Contact, People, contacts_of, issues_of, touches_of
from ledger.csv_format import InvalidHeaderError, Names, beginning_of, check_user, columns_of
from ledger.entries import Entry, Refusal
from ledger.errors import InvalidInteractionError, UnreadableHistoryError
from ledger.instants import Instant
from ledger.validation import UserId, user_id_of

# Git's log, read as a stream, without hooks, pager, network and the caller's GIT_* variables.

FIELD_LIMIT_BYTES = 262_144
"""How much of a message, or of a list of trailers, is read; people write less."""

CO_AUTHORS = ("Co-authored-by",)
REVIEWERS = ("Reviewed-by", "Acked-by", "Reviewers")
"""Trailers; git takes them in any case, and only where a message ends with them."""

_CHUNK_BYTES = 65_536
_CONTACTS_CACHED = 10_000
_REASON_LIMIT = 300

# Cutting must not change a word, such as AI-1799 to AI-17.
_IN_WORDS = string.ascii_letters + string.digits + "-_"

_KEPT = {"GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}
_SET = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_SETTINGS = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "trailer.separators=:")


def _trailers(keys: Sequence[str]) -> str:
    named = ",".join(f"key={key}" for key in keys)
    return f"%(trailers:{named},valueonly,unfold,separator=%x0A)"


_FIELDS = (
    *("%H", "%P", "%at", "%ae", "%aE", _trailers(CO_AUTHORS), _trailers(REVIEWERS)),
    *("%an", "%B"),
)
_LOG = (
    *("log", "-z", "--no-show-signature", "--no-patch", "--no-notes", "--no-color"),
    *("--no-decorate", "--encoding=UTF-8", "--reverse"),
    f"--format={'%x00'.join(_FIELDS)}",
)


class Repository(NamedTuple):
    """The repository of a directory, at the HEAD of when it was opened."""

    directory: str
    head: str
    commits: int
    is_shallow: bool


def repository_at(directory: str) -> Repository:
    """Open the repository that `directory` lies in.

    Raises UnreadableHistoryError if there is no repository, no commit, or no git.
    """
    if not directory:  # git would use the current folder
        raise UnreadableHistoryError("the directory has no name")
    asked = ("rev-parse", "--is-shallow-repository")
    is_shallow = _answer(directory, *asked) == "true"
    head = _answer(directory, "rev-parse", "--revs-only", "HEAD")
    if not re.fullmatch("[0-9a-f]{40,64}", head):
        raise UnreadableHistoryError("the repository has no commits")
    count = _answer(directory, "rev-list", "--count", head, "--")
    return Repository(directory, head, int(count), is_shallow)


def commits_of(repository: Repository) -> Iterator[Commit]:
    """Yield HEAD and its ancestors, the earliest first, in constant memory.

    Raises UnreadableHistoryError if git fails.
    """
    with (
        _running(repository.directory, "check-mailmap", "--stdin") as (mailmap_in, mailmap_out),
        _running(repository.directory, *_LOG, repository.head, "--") as (_, log),
    ):
        mailmap = _Mailmap(mailmap_in, mailmap_out)
        fields = _fields(log)
        for record in zip(*[fields] * len(_FIELDS), strict=False):  # the last one may be incomplete
            yield _commit(record, mailmap)


def _commit(record: Sequence[bytes], mailmap: "_Mailmap") -> Commit:
    texts = map(_text, record)
    commit, parents, date, written, present, co_authors, reviewers, name, message = texts
    return Commit(
        commit,
        _instant(date),
        len(parents.split()) > 1,
        Contact(written.lower() or name.lower(), present.lower() or name.lower(), name),
        tuple(mailmap.contacts(co_authors)),
        tuple(mailmap.contacts(reviewers)),
        message,
    )


def _text(field: bytes) -> str:
    """Return the text of a field, or its first whole words if it is too long.

    Invalid UTF-8 is read as Latin-1.
    """
    kept = field[:FIELD_LIMIT_BYTES]
    is_whole = len(kept) == len(field)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(kept, final=is_whole)
    except UnicodeDecodeError:
        text = kept.decode("latin-1")
    return text if is_whole else text.rstrip(_IN_WORDS)


def _instant(seconds: str) -> Instant | None:
    if not re.fullmatch(r"-?[0-9]{1,20}", seconds):
        return None
    return Instant(min(int(seconds) * 1_000_000, FOREVER))


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the fields, which end with NUL; one that is too long is cut above the limit."""
    rest = b""
    while chunk := stream.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
        rest = rest[: FIELD_LIMIT_BYTES + 1]


class _Mailmap:
    """Maps the people in trailers by .mailmap, for whose rules it runs git."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._present = lru_cache(maxsize=_CONTACTS_CACHED)(self._ask)

    def contacts(self, values: str) -> Iterator[Contact]:
        """Yield the contacts in the values of trailers, of which a line may have several."""
        for value in values.splitlines():
            for part in value.split(">")[:-1]:
                name, _, address = part.rpartition("<")
                if address and not re.search(r"[\s\0]", address):
                    name = name.replace("<", "").strip(" ,;")
                    present = self._present(name, address)
                    yield Contact(address.lower(), present.lower(), name)

    def _ask(self, name: str, address: str) -> str:
        try:
            self._stdin.write(f"{name} <{address}>\n".encode())
            self._stdin.flush()
            answer = _text(self._stdout.readline())
        except OSError:
            answer = ""
        if not answer.endswith(">\n"):
            raise UnreadableHistoryError("git check-mailmap ended early")
        return answer[answer.rindex("<") + 1 : -2]


def _answer(directory: str, *arguments: str) -> str:
    with _running(directory, *arguments) as (_, stdout):
        return _text(stdout.read(_CHUNK_BYTES)).strip()


@contextmanager
def _running(directory: str, *arguments: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Run git for a block, and yield its stdin and stdout; it does not outlive the block.

    Raises UnreadableHistoryError if it fails.
    """
    program = shutil.which("git")
    if program is None:
        raise UnreadableHistoryError("git is not installed, or not on the path")
    with (
        TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - git itself, with no shell between
            [program, *_SETTINGS, "-C", directory, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:  # never, with pipes
            raise UnreadableHistoryError("the output of git cannot be read")
        try:
            yield process.stdin, process.stdout
            process.stdin.close()
            code = process.wait()
        finally:
            process.kill()  # no effect if it has ended
        if code:
            raise UnreadableHistoryError(_reason(errors, code))


def _environment() -> dict[str, str]:
    """The process's environment without variables that change which repository git reads."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT
    }
    return kept | _SET


def _reason(errors: IO[bytes], code: int) -> str:
    errors.seek(0)
    said = _text(errors.read(_CHUNK_BYTES)).strip().partition("\n")[0].strip()
    said = "".join(each if each.isprintable() else "?" for each in said)[:_REASON_LIMIT]
    if "dubious ownership" in said:
        said += "; `git config --global --add safe.directory DIR` lets git read it anyway"
    return f"git ended with {code}: {said or 'no reason given'}"


# User maps: CSV files that map addresses to user ids.

LEFT_OUT = "-"
"""The value in place of a user id that leaves an address out."""

UserMapRow = tuple[str, str, str, int]
"""An address, its user id, its name, and the number of its commits."""

_NAMES = Names(required=("address", "user_id"))


def read_user_map(lines: Iterable[bytes]) -> dict[str, UserId | None]:
    """Return the user ids by address in lower case, with None for addresses that are left out.

    The first line names the columns address and user_id, possibly among others, in any order. An
    address without a user id is ignored. Raises UnreadableHistoryError with the line of an error,
    without repeating addresses or ids.
    """
    rows = _rows(lines)
    first, header = next(rows, (1, []))
    try:
        columns = columns_of(header, _NAMES)
    except InvalidHeaderError:
        raise _wrong(first, "the header must name address and user_id, each once") from None
    users: dict[str, UserId | None] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise _wrong(line, f"has {len(row)} fields where the header has {len(header)}")
        address, user = (row[columns[name]] for name in _NAMES.required)
        if user:
            _add(users, line, _address(line, address), _user_id(line, user))
    return users


def user_map_of(rows: Iterable[UserMapRow]) -> str:
    """Return the text of a file with these rows for `read_user_map`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*_NAMES.required, "name", "commits"))
    writer.writerows(rows)
    return file.getvalue()


def _add(users: dict[str, UserId | None], line: int, address: str, user: UserId | None) -> None:
    if users.setdefault(address, user) != user:
        raise _wrong(line, "gives another user id for an address of an earlier line")


def _rows(lines: Iterable[bytes]) -> Iterator[tuple[int, Sequence[str]]]:
    texts = _Texts(lines)
    reader = None
    while True:
        line = texts.read + 1
        try:
            if reader is None:
                reader, before = _reader(texts)
                line = before + 1
            row = next(reader, None)
        except UnicodeDecodeError:
            raise _wrong(line, "is not in UTF-8") from None
        except InvalidHeaderError as error:
            raise _wrong(texts.read, str(error)) from None
        except csv.Error as error:
            raise _wrong(line, f"is not CSV: {error}") from None
        if row is None:
            return
        if row:
            yield line, row


def _reader(texts: "_Texts") -> tuple[Iterator[list[str]], int]:
    separator, before, rest = beginning_of(texts, _NAMES.known.__contains__)
    return csv.reader(rest, strict=True, delimiter=separator), before


class _Texts(Iterator[str]):
    """Lines decoded from UTF-8, with the number of the current one."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.read = 0
        self._lines = iter(lines)

    def __next__(self) -> str:
        line = next(self._lines)
        self.read += 1
        return line.decode("utf-8-sig")


def _address(line: int, text: str) -> str:
    address = text.strip().strip("<>").lower()
    if not address:
        raise _wrong(line, "has no address")
    return address


def _user_id(line: int, text: str) -> UserId | None:
    if text.strip() == LEFT_OUT:
        return None
    try:
        check_user(text)
        return user_id_of(text)
    except InvalidInteractionError as error:
        raise _wrong(line, str(error)) from None


def _wrong(line: int, reason: str) -> UnreadableHistoryError:
    return UnreadableHistoryError(f"line {line}: {reason}")


# The interactions of the commits that name issues.

IssueSearch = Callable[[str], Sequence[str]]


def read_git(
    repository: Repository, found_in: IssueSearch, people: People
) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each commit, the latest first, in constant memory.

    `found_in` finds issues in a message. Addresses occur only in source keys, of which the ledger
    keeps digests, and in user ids if `people` map to them. Raises UnreadableHistoryError if git
    fails.
    """
    for commit in commits_of(repository):
        yield _entry(commit, found_in, people)


def contacts_in(repository: Repository, found_in: IssueSearch) -> Counter[Contact]:
    """Return the contacts who touch issues, with the number of their commits that name any.

    Raises UnreadableHistoryError if git fails.
    """
    commits = Counter[Contact]()
    for commit in commits_of(repository):
        if issues_of(commit, found_in):
            commits.update({contact for contact, _ in contacts_of(commit)})
    return commits


def _entry(commit: Commit, found_in: IssueSearch, people: People) -> Entry | Refusal:
    place = f"commit {commit.short_hash}"
    try:
        wanted, left_out = touches_of(commit, found_in, people)
    except InvalidInteractionError as error:
        return Refusal(place, str(error))
    return Entry(place, wanted, left_out=left_out)
