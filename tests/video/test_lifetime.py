"""The decoding child ends with its reader and with its parent, however that ends; every process has its own."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intpv.video.reader import VideoReader

PARENT = """
import sys
from intpv.video.reader import VideoReader
reader = VideoReader()
try:
    while True:
        reader.read(sys.argv[1], 8)
        print(reader.process.child.popen.pid, flush=True)
except KeyboardInterrupt:
    sys.exit(7)
"""


def state(pid):
    """The letter ps shows, Z for a dead process that no one has reaped yet; None when there is no such process."""
    if not Path("/proc/self/stat").exists():
        return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout[:1] or None
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def assert_ends(pid):
    deadline = time.monotonic() + 10
    while state(pid) not in (None, "Z"):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def child_of(reader):
    return reader.process.child.popen.pid


@pytest.fixture
def parent(short_clip):
    """A process of its own that reads a clip over and over and prints its child's id; with pipes for its output."""
    command = [sys.executable, "-c", PARENT, str(short_clip)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, cwd=Path(__file__).parents[2], **pipes) as running:
        yield running
        running.kill()


def test_it_ends_with_its_reader(short_clip):
    reader = VideoReader()
    reader.read(short_clip, 8)
    pid = child_of(reader)
    del reader
    assert state(pid) is None


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_it_ends_when_its_parent_is_killed(parent, stopped):
    pid = int(parent.stdout.readline())
    if stopped:  # in the middle of whatever it does
        os.kill(pid, signal.SIGSTOP)
    parent.kill()
    if stopped:
        os.kill(pid, signal.SIGCONT)
    assert_ends(pid)


@pytest.mark.slow
def test_an_interrupt_reaches_the_parent_alone_and_leaves_nothing(parent):
    pid = int(parent.stdout.readline())
    os.killpg(parent.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    _, errors = parent.communicate(timeout=30)
    assert (parent.returncode, errors) == (7, "")
    assert_ends(pid)


def test_a_forked_process_and_an_unpickled_reader_have_children_of_their_own(short_clip):
    reader = VideoReader()
    reader.read(short_clip, 8)
    pid = child_of(reader)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_read_and_tell, (reader, str(short_clip))) != pid
        assert pool.apply(_read_and_tell, (None, str(short_clip))) != pid
    other = pickle.loads(pickle.dumps(reader))
    assert other == reader
    other.read(short_clip, 8)
    assert reader.read(short_clip, 8).num_available == 30
    assert child_of(reader) == pid != child_of(other)


def _read_and_tell(reader, path):
    reader = reader or VideoReader()
    reader.read(path, 8)
    return child_of(reader)
