"""Scheduled work, done once for each logical day."""

from bot.jobs.engagement_jobs import EngagementJobs
from bot.jobs.scheduling import (
    add_engagement_jobs_to_scheduler,
    add_expiry_to_scheduler,
    add_resolution_to_scheduler,
    cleanup_zero_engagements_job,
    decay_engagement_scores_job,
)

__all__ = [
    "EngagementJobs",
    "add_engagement_jobs_to_scheduler",
    "add_expiry_to_scheduler",
    "add_resolution_to_scheduler",
    "cleanup_zero_engagements_job",
    "decay_engagement_scores_job",
]
