"""Record: the run folder, which alone connects experiments to analysis, and its mirror in W&B."""
