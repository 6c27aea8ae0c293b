"""Is the prose plain? Finds the mannerisms that the project has given up, in code and in pages."""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("bot", "docs", "ledger", "projections", "tests", "tools", ".github")

PLANTED = "tests/test_prose.py"
"""The test of this check, which contains what it is to find."""

CODE_SPAN = re.compile(r"`[^`\n]+`")
MARKS = re.compile(r"""^(?:\#\s*|[a-zA-Z]*["']+)|["']+$""")
ARTICLE = re.compile(r"^(?:returns? )?(?:the |an? )?")
IGNORED = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
TEXTS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
DESCRIBED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Mannerism(NamedTuple):
    """A turn of phrase: a regular expression, its replacement, and a text that has it."""

    pattern: re.Pattern[str]
    instead: str
    example: str


class Passage(NamedTuple):
    """Connected prose, and the line on which it begins."""

    line: int
    text: str


def _mannerisms(table: str) -> list[Mannerism]:
    listed = tomllib.loads(Path(__file__).with_name("mannerisms.toml").read_text("utf-8"))[table]
    return [
        Mannerism(
            re.compile(each["pattern"].replace(" ", r"\s+"), re.IGNORECASE),
            each["instead"],
            each["example"],
        )
        for each in listed
    ]


ANYWHERE = _mannerisms("anywhere")
OPENINGS = _mannerisms("opening")


def complaints(path: str, source: str) -> Iterator[str]:
    """Each mannerism in a file, as `path:line: found (instead)`."""
    found = _in_module(source) if path.endswith(".py") else _in_page(source)
    for line, phrase, instead in found:
        yield f"{path}:{line}: {phrase!r} (better: {instead})"


def _in_module(source: str) -> Iterator[tuple[int, str, str]]:
    for passage in _passages(source):
        yield from _matches(passage)
    for line, name, docstring in _docstrings(source):
        for each in OPENINGS:
            if match := each.pattern.match(docstring):
                yield line, match[0], each.instead
        if _only_repeats(name, docstring):
            yield line, docstring, "say what the name does not"


def _in_page(source: str) -> Iterator[tuple[int, str, str]]:
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", source):
        yield from _matches(Passage(line, paragraph))
        line += paragraph.count("\n")


def _matches(passage: Passage) -> Iterator[tuple[int, str, str]]:
    text = CODE_SPAN.sub(lambda span: "`" * len(span[0]), passage.text)
    for each in ANYWHERE:
        for match in each.pattern.finditer(text):
            phrase = " ".join(match[0].split())
            yield passage.line + text.count("\n", 0, match.start()), phrase, each.instead


def _passages(source: str) -> Iterator[Passage]:
    """Comments on consecutive lines, and strings that Python joins, each as one passage."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    prose = (token for token in tokens if token.type not in IGNORED)
    for kind, group in groupby(prose, key=lambda token: _kind(token.type)):
        if kind:
            run = list(group)
            text = "\n".join(_bare(token) for token in run)
            if kind == "comment" or " " in text:  # a single word is a name
                yield Passage(run[0].start[0], text)


def _kind(token: int) -> str:
    return "comment" if token == tokenize.COMMENT else "text" if token in TEXTS else ""


def _bare(token: tokenize.TokenInfo) -> str:
    return MARKS.sub("", token.string)


def _docstrings(source: str) -> Iterator[tuple[int, str, str]]:
    """The line, the name and the text of each docstring, also of those below an assignment."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, DESCRIBED):
            continue
        for at, each in enumerate(node.body):
            match each:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    name = "" if at or isinstance(node, ast.Module) else node.name
                    yield each.lineno, name, " ".join(text.split())


def _only_repeats(name: str, docstring: str) -> bool:
    said = ARTICLE.sub("", docstring.lower().rstrip("."))
    return bool(name) and said == name.strip("_").replace("_", " ").lower()


def files() -> Iterator[Path]:
    """All modules and pages of the repository, without the test of this check."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*.py")]
    for folder in FOLDERS:
        for suffix in ("py", "md", "j2"):
            pages += (ROOT / folder).rglob(f"*.{suffix}")
    yield from sorted(page for page in pages if page != ROOT / PLANTED)


def main() -> int:
    """Print the complaints; the exit status is 1 if there are any."""
    found = [
        complaint
        for path in files()
        for complaint in complaints(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]
    for complaint in found:
        print(complaint)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
