"""Jobs, serverless: what takes long is put into a queue, and done by whichever worker is there.

In: a kind and a payload, from routes. Out: a result, events and metrics, also live. It owns the
table, the leases that let one worker at a time have a job, and the way by which workers, who see no
database, speak with it. What a kind does is its runner's business.
"""

from openhearth.platform.jobs.entry import Entry, Lines, WithJobs
from openhearth.platform.jobs.following import follow
from openhearth.platform.jobs.job import (
    Event,
    Job,
    Lease,
    Leased,
    LeaseLost,
    Metric,
    News,
    Order,
    State,
)
from openhearth.platform.jobs.jobs import Jobs
from openhearth.platform.jobs.orphans import Orphans
from openhearth.platform.jobs.paid_once import PaidOnce
from openhearth.platform.jobs.routes import router
from openhearth.platform.jobs.service import JobService

__all__ = [
    "Entry",
    "Event",
    "Job",
    "JobService",
    "Jobs",
    "Lease",
    "LeaseLost",
    "Leased",
    "Lines",
    "Metric",
    "News",
    "Order",
    "Orphans",
    "PaidOnce",
    "State",
    "WithJobs",
    "follow",
    "router",
]
