"""The project's wheel: built offline from a tree, installed, and compared with the tree."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "projections", "bot")
ENTRY = "engagement_ledger.py"

BUILD = "import sys; from hatchling import build; print(build.build_wheel(sys.argv[1]))"


def build(tree: Path, folder: Path) -> Path:
    """Build the wheel of a tree into a folder, by the build backend of this environment."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=tree,
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / done.stdout.split()[-1]


def install(wheel: Path, *options: str | Path, python: str | Path = sys.executable) -> None:
    """Install a wheel alone, without a network, for a Python; `options` are those of pip."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    alone = ("--quiet", "--no-index", "--no-deps", "--no-compile")
    subprocess.run([*pip, "install", *alone, *options, wheel], check=True)


def complaints(wheel: Path, tree: Path = ROOT) -> Iterator[str]:
    """Yield the product's files that a wheel lacks, and files in it that are none of them."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    product = {path.relative_to(tree).as_posix() for path in _product(tree)}
    yield from (f"{name} is missing" for name in sorted(product - packed))
    yield from (f"{name} is not part of the product" for name in sorted(packed - product))


def _product(tree: Path) -> Iterator[Path]:
    yield tree / ENTRY
    for package in PACKAGES:
        for path in (tree / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
