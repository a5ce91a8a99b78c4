"""The exceptions a user is meant to read."""

from collections.abc import Mapping

from intpv.escape import printable


class BadInput(ValueError):
    """Something the user gave cannot be used: one line that names the thing and both values.

    Entry points print the line alone and exit with 2; a traceback would only hide it. What it quotes may be anything
    that a file or a benchmark holds, so what cannot be seen is escaped.
    """

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


class Unaskable(BadInput):
    """Some of the questions to a video cannot be asked, or answered; all others can be."""

    def __init__(self, reasons: Mapping[int, str], asked: int) -> None:
        self.reasons, self.asked = dict(reasons), asked  # by the question's place
        first = next(iter(self.reasons.values()))
        super().__init__(first if asked == 1 else f"{len(reasons)} of {asked} questions cannot be asked: {first}")

    def __reduce__(self):
        return Unaskable, (self.reasons, self.asked)  # the default would hand the finished line back as reasons


# VideoError: the one way a video file is refused.


LONGEST = 200  # characters of a reason; what a library says can be a page


class VideoError(BadInput):
    """A video file that cannot be used: one line with the file and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}..."
        super().__init__(f"{self.path}: {self.reason}")

    def __reduce__(self):
        # the default would call __init__ with the finished line alone, and another process could not hand it back
        return VideoError, (self.path, self.reason)
