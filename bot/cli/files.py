"""Writing files that a command was asked for."""

import os
from pathlib import Path

PRIVATE = 0o600
"""The mode of a new file: reports and charts name people."""


def write_file(path: Path, content: bytes) -> None:
    """Write a file, so that no reader ever finds half of it at `path`.

    Only the owner can read a new file; a replaced one keeps its mode. A pipe or a terminal at
    `path` is written to directly.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    target = path.resolve()  # a link stays one
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")  # nobody else's
    try:
        draft.unlink(missing_ok=True)
        draft.touch(PRIVATE, exist_ok=False)
        draft.write_bytes(content)
        if target.exists():
            draft.chmod(target.stat().st_mode)
        draft.replace(target)
    except OSError as error:
        error.filename = str(path)  # nobody has heard of the draft
        raise
    finally:
        draft.unlink(missing_ok=True)
