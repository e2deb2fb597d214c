"""Messages as calls of `importmsg` and `import_group_msg` (tencent.md §4.1, §5.4), and the reverse for a line.

Strategy: a line is a whole call for its one message; what only the order of a conversation can tell, `order.py` does
with its bytes. MsgRandom is made of the canonical key, so that a call that is repeated finds what it made before.
A message that comes from Tencent keeps the three numbers by which Tencent knows it.
Layout: a body begins with what may have to be changed in order: `MsgSeq` of a pair's message (`MsgRandom` stands before
a MsgSeq that is to stay), `Random` and `SendTime` of a group's.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from xxhash import xxh3_64_digest

from imconvert.model import Custom, Message, Notes, Notice, derived_id, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import Book, KeyFields, LeftOut, Line, Settings, Write
from imconvert.vendors.tencent import keys
from imconvert.vendors.tencent.bodies import Body, BodyWriter
from imconvert.vendors.tencent.rules import COMMUNITY
