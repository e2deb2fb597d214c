"""A feed and a load that give up on nobody soon, for machines that stall; `python patience.py` is such an `imconvert`.

What is done when patience ends is for tests that set it short themselves. All others must not depend on how fast a
puller closes, a disk syncs or a thread gets its turn: they would see a window served again, or a call left unknown.
"""

from __future__ import annotations

from imconvert.load import run
from imconvert.serve import answers, app, gate, listen

LONG = 60.0
"""Seconds for whatever must come."""

answers.SEND_TIME = answers.CLOSE_TIME = answers.SETTLE_TIME = LONG
app.BODY_TIME = app.READ_TIME = gate.DRAIN_TIME = listen.HEAD_TIME = LONG
run.GRACE = run.TROUBLE = LONG

if __name__ == "__main__":
    from imconvert.__main__ import main

    main()
