"""A disk of its own whose power can fail: an ext4 in a file, on a loop device."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_ITS_LOG = 2
"""The shutdown that loses all that was not written yet, the journal included."""

SIZE_BYTES = 64 * 2**20
NEVER_BY_ITSELF = "commit=300"
"""The mount option without which the journal is written every five seconds."""


class Disk:
    """An ext4 mounted at `folder`."""

    def __init__(self, image: Path, folder: Path) -> None:
        """Mount the file system in `image`."""
        self._image, self.folder = image, folder

    def mount(self) -> str:
        """Mount it, which replays its journal; return the error, if any."""
        options = f"loop,{NEVER_BY_ITSELF}"
        return _run("mount", "-t", "ext4", "-o", options, str(self._image), str(self.folder))

    def unmount(self) -> str:
        """Unmount it."""
        return _run("umount", str(self.folder))

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        assert not _run("sync", "-f", str(self.folder))

    def fail(self) -> None:
        """Let the power fail."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("i", WITHOUT_ITS_LOG))
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        """Let the power come back."""
        assert not self.unmount()
        assert not self.mount()


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Yield a disk of some megabytes; skip where this machine does not allow one."""
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES)
    new = Disk(image, mounted)
    refused = _run("mkfs.ext4", "-q", str(image)) or new.mount()
    if refused:
        pytest.skip(f"a disk whose power can fail needs root and loop devices: {refused}")
    try:
        yield new
    finally:
        new.unmount()


def _run(program: str, *arguments: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return f"{program} is not installed"
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"{program} failed") if done.returncode else ""
