"""Sources of events and of partials, merged: read side by side, and joined step by step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pyarrow as pa

from ledger.archive.memory import release_memory
from ledger.archive.stepping import Reader, Source, steps
from projections.views.partials import joined, partial_of

_PLACE = ("account", "issue_id")

_ROWS_AT_ONCE = 131_072
"""About so many are joined in a step: more are joined faster, and need more memory."""

_ROWS_YIELDED = 16_384

_TABLES_AHEAD = 12
"""Of all sources that are on their way at once, but one of each at least."""

_FOLDING = 2  # most of the work is done by libraries that let others run meanwhile


def merged(events: Iterable[Source], partials: Iterable[Source] = ()) -> Iterator[pa.Table]:
    """Yield partials that hold each engagement once, whole, by account and issue.

    None has more than 16,384 rows: whoever looks at them one by one has them as objects then.
    `events` come as the files of segments have them: one thread reads them ahead, and others fold
    and join. `partials` have a connection in common, and are read by whoever iterates.
    """
    sources = list(events)
    tables_ahead = max(1, _TABLES_AHEAD // max(1, len(sources)))
    reading, folding = ThreadPoolExecutor(1), ThreadPoolExecutor(_FOLDING)

    def ahead(source: Source) -> Callable[[], pa.Table | None]:
        read = reading.submit(_read, source, folding)
        return lambda: None if (folded := read.result()) is None else folded.result()

    readers = [
        *(Reader(each, _PLACE, ahead, tables_ahead) for each in sources),
        *(Reader(each, _PLACE) for each in partials),
    ]
    try:
        for table in _joined(steps(readers, _ROWS_AT_ONCE), folding):
            for begin in range(0, len(table), _ROWS_YIELDED):
                yield table.slice(begin, _ROWS_YIELDED)
    finally:
        # An iterator that nobody wants any more ends wherever garbage happens to be collected, be
        # it while another thread is being started: whatever waited for threads there would hang.
        for threads in (reading, folding):
            threads.shutdown(wait=False, cancel_futures=True)
        release_memory()


def _read(source: Source, folding: Executor) -> Future[pa.Table] | None:
    """Read the next table of a source, and let others fold it, who need not wait for it then."""
    events = next(source, None)
    return None if events is None else folding.submit(partial_of, events)


def _joined(parts: Iterator[list[pa.Table]], threads: Executor) -> Iterator[pa.Table]:
    """Yield what the parts of each step are joined to, the next ones being joined meanwhile."""
    before: Future[Sequence[pa.Table]] | None = None
    for taken in parts:
        now = threads.submit(joined, taken)
        if before is not None:
            yield from before.result()
        before = now
    if before is not None:
        yield from before.result()
