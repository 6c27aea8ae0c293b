"""The modules that a fork has from the first process: the program, the tests, and libraries."""

import gc
import importlib

for name in (
    "bot.terminal",
    "tests.support.telegram.bot_process",
    "tests.support.trials.programs",
    # What libraries import only when they first need it.
    "anyio._backends._asyncio",
    "apscheduler.triggers.cron",
    "httpcore",
    "numpy.ma",
    "pyarrow.dataset",
):
    importlib.import_module(name)

gc.freeze()  # a collection would look at all of it in every fork, and so copy it
