"""Writing of output files."""

import os
from pathlib import Path

PRIVATE = 0o600
"""The mode of a new file: reports and charts name people."""


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader never finds a partial file at `path`.

    Only the owner can read a new file; a replaced one keeps its mode. A pipe or a terminal at
    `path` is written to directly.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    target = path.resolve()  # write through a symbolic link
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")  # unique
    try:
        draft.unlink(missing_ok=True)
        draft.touch(PRIVATE, exist_ok=False)
        draft.write_bytes(content)
        if target.exists():
            draft.chmod(target.stat().st_mode)
        draft.replace(target)
    except OSError as error:
        error.filename = str(path)  # the user did not name the draft
        raise
    finally:
        draft.unlink(missing_ok=True)
