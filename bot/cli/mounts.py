"""Mounts: which kind of file system holds a folder, and whether it is one of a network."""

import re
from collections.abc import Iterator
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""What Linux says is mounted; other systems have none, and nothing is said there."""

NETWORK = frozenset({
    *("9p", "afs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"),
    *("smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
})  # fmt: skip
"""File systems whose locks and shared memory do not hold between machines."""

LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.mergerfs", "fuse.bindfs"})

_POINT = 4
"""The field of mountinfo that says where something is mounted."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: str) -> str | None:
    """Return the type of the network file system that holds `folder`, None on any other.

    `mounts` is in the form of mountinfo; `folder` is absolute, without symbolic links.
    """
    holding = [each for each in _mounts(mounts) if folder.is_relative_to(each[0])]
    # The deepest holds it; of two at one point the later one hides the earlier.
    _, found = max(reversed(holding), key=lambda each: len(each[0].parts), default=(None, ""))
    is_fuse = found.startswith("fuse.") and found not in LOCAL_FUSE
    return found if is_fuse or found in NETWORK else None


def _mounts(mounts: str) -> Iterator[tuple[Path, str]]:
    """Yield where something is mounted, and its type."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > _POINT:
            yield Path(_plain(fields[_POINT])), after.partition(" ")[0]


def _plain(escaped: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), escaped)
