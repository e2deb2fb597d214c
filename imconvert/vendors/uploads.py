"""Which URLs of a message are files that were taken out of records: they have to be uploaded before it is loaded.

Strategy: such a file is named by its content, below a folder of its first two digits, and has no scheme in front.
"""

from __future__ import annotations

import re

from imconvert.model import Media, Message

_OWN = re.compile(r"(?![A-Za-z][A-Za-z0-9+.-]*:)[^?#]*?([0-9a-f]{2})/\1[0-9a-f]{62}(\.\w{1,8})?")


def is_own_file(url: str) -> bool:
    """Whether a URL is the name of a file that stood inside of a record."""
    return bool(_OWN.fullmatch(url))


def uploads_of(message: Message) -> list[str]:
    """The files in a message that have to be uploaded, each once."""
    urls = [part.url for part in message.parts if isinstance(part, Media)]
    return list(dict.fromkeys(url for url in urls if is_own_file(url)))
