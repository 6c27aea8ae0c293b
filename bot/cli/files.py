"""Writing files that a command was asked for."""

import os
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write a file, so that no reader ever finds half of it at `path`.

    What is there and is no file, a pipe or a terminal, is written into.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    target = path.resolve()  # a link stays one
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")  # nobody else's
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        error.filename = str(path)  # nobody has heard of the draft
        raise
    finally:
        draft.unlink(missing_ok=True)
