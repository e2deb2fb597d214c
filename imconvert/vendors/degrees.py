"""Longitude and latitude as JSON numbers: every digit that the source gave, where it is a number's text already."""

from __future__ import annotations

import math
import re

from msgspec import Raw

from imconvert.errors import Rejected
from imconvert.vendors.lenient import shown

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def number_of(text: str, field: str) -> Raw:
    """Degrees as a JSON number with a decimal point, which strictly typed clients need. Raises Rejected (IMC-2102)."""
    plain = text.strip()
    if plain.isascii() and _NUMBER.fullmatch(plain):
        return Raw((plain if "." in plain else f"{plain}.0").encode())
    try:
        value = float(plain) if "_" not in plain else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Rejected("IMC-2102", field=field, found=shown(text), expected="degrees as a number")
    return Raw(repr(value).encode())
