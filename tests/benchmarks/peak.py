"""A process of its own that replays one ledger and prints its peak memory in MiB."""

import re
import resource
import sys
from pathlib import Path

from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.replaying import replay

KIB_PER_MIB = 1024


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB.

    Linux tells it by program in /proc; what `getrusage` tells there goes on from the program that
    started this one. Elsewhere it is the best there is.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found is not None:
            return int(found[1]) / KIB_PER_MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB_PER_MIB / (KIB_PER_MIB if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    with open_ledger(Path(sys.argv[1])) as engagements:
        replay(engagements)
    print(peak_mib())
