"""A cache on disk, and other processes that use the same folder."""

import multiprocessing
import os

import pytest

from intpv.cache.disk import DiskCache, place

from .entries import address, entry


@pytest.fixture
def disk(tmp_path):
    """A disk cache with room for anything."""
    return DiskCache(tmp_path / "cache", 10**9)


@pytest.fixture
def write(disk):
    """number -> an entry of this number in the cache, as a file's path; `used` is its last use in seconds."""

    def make(number: int, used: float | None = None, size: int = 200):
        disk.put("frames", address(number), entry(number, size), {})
        path = place(disk.dir, "frames", address(number))
        if used is not None:
            os.utime(path, (used, used))
        return path

    return make


@pytest.fixture
def process():
    """Start functions in processes of their own, forked, so that none imports torch anew; ended with the test."""
    context = multiprocessing.get_context("fork")
    started = []

    def start(function, *arguments):
        child = context.Process(target=function, args=arguments, daemon=True)
        child.start()
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.join()
