"""VideoError: the one way a video file is refused."""

from intpv.errors import BadInput

LONGEST = 200  # characters of a reason; what a library says can be a page


class VideoError(BadInput):
    """A video file that cannot be used: one line with the file and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}..."
        super().__init__(_printable(f"{self.path}: {self.reason}"))

    def __reduce__(self):
        # the default would call __init__ with the finished line alone, and another process could not hand it back
        return VideoError, (self.path, self.reason)


def _printable(text: str) -> str:
    """File names may hold line breaks, terminal commands and bytes of no character; they come out as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
