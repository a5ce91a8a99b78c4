"""LiveMemory: the most bytes that are alive at once beyond what was before, as the CPU's own allocator reports them."""

from itertools import accumulate

from torch.profiler import ProfilerActivity, profile


class LiveMemory(profile):
    """Counts compiled code too, which a dispatch mode cannot see."""

    def __init__(self):
        super().__init__(activities=[ProfilerActivity.CPU], profile_memory=True)

    @property
    def peak(self) -> int:
        """Bytes, once the block is left."""
        events = (event for event in self.profiler.kineto_results.events() if event.name() == "[memory]")
        changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
        return max(0, *accumulate(changes))
