"""The way in, for the console script and for `python -m imconvert`: ready to be stopped before all else is loaded."""

import gc
import os
import signal
from types import FrameType
from typing import NoReturn


def _stop_early(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; a signal that comes while it is being loaded ends the process without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_early)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here is algebra; its threads only take time to start
    gc.disable()  # what is loaded is no garbage
    from imconvert.cli import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
