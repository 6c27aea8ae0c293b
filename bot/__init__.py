"""The user interfaces: the Telegram bot, the terminal chat, the command line and scheduled jobs.

The public names, each imported on first use, since some need an extra.
"""

from typing import TYPE_CHECKING

from engagement_ledger import require_own

if TYPE_CHECKING:
    from bot.charts import ranking_chart, score_chart
    from bot.extras import MissingExtraError
    from bot.jobs import (
        EngagementJobs,
        add_engagement_jobs_to_scheduler,
        add_expiry_to_scheduler,
        cleanup_zero_engagements_job,
        decay_engagement_scores_job,
    )
    from bot.settings import Settings, settings_of
    from bot.spool.durable_writer import Keeper
    from bot.telegram import Recorder, install
    from bot.telegram.serve import PollingRequest

require_own("projections", "ledger")

from ledger.lazy_imports import lazy_names  # noqa: E402 - only now it is known to be ours

__all__ = [
    "EngagementJobs",
    "Keeper",
    "MissingExtraError",
    "PollingRequest",
    "Recorder",
    "Settings",
    "add_engagement_jobs_to_scheduler",
    "add_expiry_to_scheduler",
    "cleanup_zero_engagements_job",
    "decay_engagement_scores_job",
    "install",
    "ranking_chart",
    "score_chart",
    "settings_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "bot.charts": ["ranking_chart", "score_chart"],
        "bot.extras": ["MissingExtraError"],
        "bot.jobs": [
            "EngagementJobs",
            "add_engagement_jobs_to_scheduler",
            "add_expiry_to_scheduler",
            "cleanup_zero_engagements_job",
            "decay_engagement_scores_job",
        ],
        "bot.settings": ["Settings", "settings_of"],
        "bot.spool.durable_writer": ["Keeper"],
        "bot.telegram": ["Recorder", "install"],
        "bot.telegram.serve": ["PollingRequest"],
    },
)
