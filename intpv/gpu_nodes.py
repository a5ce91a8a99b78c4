"""GPU nodes: the NVIDIA GPUs that the operating system shows, told without torch."""

import glob


def gpu_nodes() -> list[str]:
    """Device files as Linux names them, one for each GPU; none on other systems."""
    return sorted(glob.glob("/dev/nvidia[0-9]*"))
