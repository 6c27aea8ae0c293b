"""Small disks of their own for tests, where this machine lets us mount one."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "2m") -> Iterator[None]:
    """Mount an empty disk of `size`, in memory, at `folder`; skip where that is not allowed."""
    if shutil.which("mount") is None or not _mounted("-t", "tmpfs", "-o", f"size={size}", folder):
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        yield
    finally:
        _run("umount", "-l", folder)


def remount(folder: Path, option: str) -> None:
    """Change the disk at `folder`: ro, rw, or another size."""
    if not _mounted("-o", f"remount,{option}", folder):
        pytest.fail(f"the disk could not be remounted with {option}")


def _mounted(*arguments: str | Path) -> bool:
    *options, folder = arguments
    return _run("mount", *options, "tmpfs", folder) == 0


def _run(program: str, *arguments: str | Path) -> int:
    path = shutil.which(program) or program
    return subprocess.run([path, *arguments], capture_output=True, check=False).returncode
