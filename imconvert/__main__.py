"""The way in, for the console script and for `python -m imconvert`: ready to be stopped before all else is loaded."""

import signal
from types import FrameType
from typing import NoReturn


def _stop_early(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; a signal that comes while it is being loaded ends the process without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_early)
    from imconvert.cli import main as run

    run()


if __name__ == "__main__":
    main()
