"""One unit of a step: what an earlier run has left of it is taken over, else the step is done.

Promise: what is left is believed only if its sums fit and it was made for the same decisions. The answer is the marker
itself, so that the driver learns everything from answers, whichever machine gave them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from imconvert.convert.work import WorkFolder
from imconvert.errors import IntegrityError

Marker = TypeVar("Marker")


def done(work: Path, path: Path, kind: type[Marker], basis: str, do: Callable[[], int]) -> Marker | None:
    """The marker at `path`, after doing what leaves it if need be; None if that gives less than 0: it was in vain."""
    folder = WorkFolder(work)
    known = folder.read_marker(path, kind, basis)
    if known is not None:
        return known
    return there(folder.read_marker(path, kind, basis, ours=True), path) if do() >= 0 else None


def there(marker: Marker | None, path: Path) -> Marker:
    """A marker that was just written. Raises IntegrityError IMC-6002 where it can't be read back."""
    if marker is None:
        raise IntegrityError("IMC-6002", str(path), what="it was written and cannot be read back")
    return marker
