"""Make vendor exports of any size whose truth is known.

Plan: pools of seats (who talks to whom), texts and attachments are drawn once from the seed. Each file then
draws from the pools with its own generator, seeded by (seed, vendor, file number), and owns a stretch of
time and of message ids that no other file touches. Lines are formatted by hand, as strings that hold one
UTF-8 byte a character (CPython joins and encodes those fastest); only the few planted ones go through a JSON
library. Nothing is shared with the converter, so the two can check each other.

Promise: equal arguments give equal bytes, for any number of jobs, any hash seed and any platform
(compressed bytes also depend on the compression library). The truth is printed as one JSON object:

messages    distinct good records of people, in all files; exactly what --messages asked for
duplicates  later records of the same file with the same key and the same content as a message; half of them
            with other key order or typing. Key: message id, sender, receiver or group, time
conflicts   later records of the same file with the key of a message, but with another text (never equal to
            each other either)
damaged     records that no reader can accept. Each is in addition to the messages and never hurts one
events      recalls, edits and the like, which refer to an earlier message of the same file and are none
chatroom    chat-room messages; they are counted here and not in `messages`
lines       records in all = messages and everything planted; a physical line each, or an element of an array
oddities    messages (all of them good) whose line carries something a reader has to repair
extra_bodies  bodies beyond the first of a message
bytes       size of all files before compression
by_chat, by_type  messages by chat and by type; types are the vendor's own, taken from the first body

To add a vendor: a module here with a dictionary SHAPES from name to `core.Shape` (read its fields, then easemob.py for
an example of two shapes), and a row in VENDORS below. The first shape is the one that is made unless asked
otherwise. tools.py holds what lines are put together with, damage.py what spoils them, stream.py the ways to file
them, packing.py a zip if the vendor always packs. Plants that the caller does not choose go into `extras`; under
the names "events" and "chatroom" if they are that, else under your own. make_export.py and bench.py then know it.
"""

from __future__ import annotations

from exports import custom, easemob, rongcloud, tencent, yunxin, yunxin_copies, yunxin_history
from exports.core import Shape

VENDORS: dict[str, dict[str, Shape]] = {
    "yunxin": yunxin.SHAPES | yunxin_copies.SHAPES | yunxin_history.SHAPES,
    "easemob": easemob.SHAPES,
    "tencent": tencent.SHAPES,
    "rongcloud": rongcloud.SHAPES,
    "custom": custom.SHAPES,
}
