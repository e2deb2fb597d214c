"""Short random programs against the feed (feed_machine.py); scripts/feed_campaign.py runs many long ones."""

from __future__ import annotations

import os

from feed_machine import FeedMachine
from hypothesis import HealthCheck, Phase, settings

PROGRAMS = int(os.environ.get("IMCONVERT_FEED_PROGRAMS", "100"))
STEPS = int(os.environ.get("IMCONVERT_FEED_STEPS", "15"))

FeedMachine.TestCase.settings = settings(
    max_examples=PROGRAMS,
    stateful_step_count=STEPS,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    derandomize="IMCONVERT_FEED_PROGRAMS" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestFeedPrograms = FeedMachine.TestCase
