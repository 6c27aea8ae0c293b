"""Mounts: whether a folder is on a network file system."""

import re
from collections.abc import Iterator
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of mounts; on other systems nothing is checked."""

NETWORK = frozenset({
    *("9p", "afs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"),
    *("smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
})  # fmt: skip
"""File systems whose locks and shared memory do not work between machines."""

LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.mergerfs", "fuse.bindfs"})

_POINT = 4
"""The field of mountinfo with the mount point."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: str) -> str | None:
    """Return the type of the network file system that holds `folder`, or None.

    `mounts` is in the form of mountinfo; `folder` is absolute, without symbolic links.
    """
    holding = [each for each in _mounts(mounts) if folder.is_relative_to(each[0])]
    # The deepest mount point counts; of two mounts at one point, the later hides the earlier.
    _, found = max(reversed(holding), key=lambda each: len(each[0].parts), default=(None, ""))
    is_fuse = found.startswith("fuse.") and found not in LOCAL_FUSE
    return found if is_fuse or found in NETWORK else None


def _mounts(mounts: str) -> Iterator[tuple[Path, str]]:
    """Yield mount points and their types."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > _POINT:
            yield Path(_plain(fields[_POINT])), after.partition(" ")[0]


def _plain(escaped: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), escaped)
