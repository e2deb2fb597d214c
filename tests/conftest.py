"""What holds for all tests: properties have no deadline, for machines are shared; and files lie in memory if there is
room, for the suite waits for tens of thousands of files to be on the disk otherwise."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

MEMORY, ROOM = Path("/dev/shm"), 4 << 30
"""A folder in memory, and the bytes that have to be free in it."""

if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
    os.environ.setdefault("TMPDIR", str(MEMORY))
    tempfile.tempdir = None  # it was looked up before

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
