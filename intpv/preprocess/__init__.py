"""Frames to a tower's pixels, one file for each way in which published models do it."""
