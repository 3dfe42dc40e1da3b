"""Token bytes to text: a character's bytes may be spread over several tokens."""

from __future__ import annotations

import codecs


class Utf8Stream:
    """Decodes pieces as they come; the bytes of an unfinished character wait for the next piece."""

    def __init__(self) -> None:
        """Start at a character boundary."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, piece: bytes) -> str:
        """The characters that `piece` finishes; invalid bytes become U+FFFD."""
        return self._decoder.decode(piece)
