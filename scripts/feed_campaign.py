"""Run many random programs of appends, pulls, broken pulls, restarts and kills against the feed.

    python scripts/feed_campaign.py --programs 2000 --steps 50 --seed 1

The machine is tests/feed_machine.py; after each program the puller must hold exactly the records that came in. Ends
with 1 and the program if one does not; the same seed gives the same programs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> int:
    """Run the campaign and print what was run."""
    from hypothesis import HealthCheck, Phase, seed, settings
    from hypothesis.stateful import run_state_machine_as_test

    machine = importlib.import_module("feed_machine").FeedMachine
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    made = settings(
        max_examples=wanted.programs,
        stateful_step_count=wanted.steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(wanted.seed)(machine), settings=made)
    seconds = time.monotonic() - began
    print(f"seed {wanted.seed}: {machine.programs} programs, {machine.steps} steps, 0 failures, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
