"""Zone: the tokens of a prefix that are quantised; what lies before and after them stays in full precision."""

from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.layout import Layout


@dataclass(frozen=True)
class Zone:
    """Tokens start ... stop - 1, and how many of them make a frame where groups are made of frames."""

    start: int
    stop: int
    frame: int = 1  # P, tokens

    @property
    def tokens(self) -> int:
        return self.stop - self.start

    @classmethod
    def of_tokens(cls, length: int, sinks: int, tail: int) -> "Zone":
        """All but `sinks` tokens at the start and `tail` at the end; empty where those are all there is."""
        start = min(sinks, length)
        return cls(start, max(start, length - tail))

    @classmethod
    def of_frames(cls, layout: Layout, sinks: int, tail: int) -> "Zone":
        """The whole frames between `sinks` and `tail`: text, and a frame that either cuts into, is left out.

        Raises BadInput where there are no frames, text stands between them, or they differ in length.
        """
        kinds = [span.is_frame for span in layout.spans]
        if True not in kinds:
            raise BadInput(f"temporal groups need frames, got a prefix of {layout.length} tokens of text")
        first, last = kinds.index(True), len(kinds) - kinds[::-1].index(True)
        lengths = [span.length for span in layout.spans[first:last] if span.is_frame]
        if len(set(lengths)) > 1:
            raise BadInput(
                f"temporal groups need frames of one length, got one of {min(lengths)} and one of {max(lengths)} tokens"
            )
        if len(lengths) != last - first:
            between = sum(span.length for span in layout.spans[first:last] if not span.is_frame)
            raise BadInput(
                f"temporal groups need frames side by side, got {between} tokens of text between {len(lengths)} frames"
            )
        per_frame = lengths[0]
        begin = sum(span.length for span in layout.spans[:first])
        cut_off = -(-max(0, sinks - begin) // per_frame)  # frames that the sinks reach into
        kept = max(0, min(layout.length - tail - begin, len(lengths) * per_frame)) // per_frame
        start = begin + min(cut_off, len(lengths)) * per_frame
        return cls(start, max(start, begin + kept * per_frame), per_frame)
