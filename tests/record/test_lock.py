"""The lock of a cell: two processes, what becomes of it when one is killed, and file systems that have none."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from intpv.record.lock import Occupied, holder, lock, on_one_machine

HOLD = """
import os, sys
from pathlib import Path
from intpv.record.lock import lock
with lock(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:  # a child that outlives its parent
        sys.stdin.read()
        os._exit(0)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cell(tmp_path):
    return tmp_path / "sweep" / "cell"


@pytest.fixture
def elsewhere(cell):
    """Another process that holds the cell."""
    with hold(cell) as process:
        yield process


def hold(cell, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, str(cell), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == str(process.pid)
    return process


def test_a_second_process_is_told_who_holds_it(cell, elsewhere):
    said = (
        rf"cell is being run by process {elsewhere.pid} on {socket.gethostname()} since \d{{4}}-\d\d-\d\dT.*: nothing"
    )
    with pytest.raises(Occupied, match=said), lock(cell):
        pass
    assert holder(cell).startswith(f"process {elsewhere.pid} on {socket.gethostname()} since ")
    with lock(cell.with_name("other")):  # per cell
        assert holder(cell.with_name("other")) is None  # our own is no one else's


def test_looking_takes_nothing_and_makes_no_file(cell, elsewhere):
    assert holder(cell.with_name("new")) is None
    assert not cell.with_name("new").exists()
    elsewhere.communicate("")
    assert holder(cell) is None
    with lock(cell):
        assert holder(cell) is None


@pytest.mark.parametrize("more", [(), ("fork",)])
def test_it_goes_with_the_process_whatever_becomes_of_its_children(cell, more):
    with hold(cell, *more) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert holder(cell) is None
        with lock(cell):
            pass


def test_one_process_takes_it_once_and_many_times_after_each_other(cell):
    for _ in range(3):
        with lock(cell):
            with pytest.raises(Occupied, match="by this very process"), lock(cell.parent / "." / "cell"):
                pass
            assert still_held(cell)
    assert not still_held(cell)


def still_held(cell) -> bool:
    code = "import sys, pathlib, intpv.record.lock as l; print(l.holder(pathlib.Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", code, str(cell)], capture_output=True, text=True, check=True)
    return done.stdout.strip() != "None"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said(cell, monkeypatch, caplog, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", fail)
    with lock(cell):
        pass
    assert caplog.messages == [f"{cell.parent} cannot be locked ({os.strerror(number)}): start no second run of it"]


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ("server:/x /data nfs4 rw,local_lock=none 0 0", ""),
        ("server:/x /data nfs rw,nolock,hard 0 0", "nfs nolock"),
        ("server:/x /data nfs rw,local_lock=posix 0 0", "nfs local_lock=posix"),
        ("server:/x /data nfs rw,local_lock=flock 0 0", ""),
        ("me@there: /data fuse.sshfs rw 0 0", "fuse.sshfs"),
        ("server:/x /data/runs/a\\040b nfs rw,nolock 0 0", "nfs nolock"),
        ("server:/x /data/other nfs rw,nolock 0 0", ""),
    ],
)
def test_mounts_whose_locks_no_other_machine_sees(tmp_path, mount, said):
    (tmp_path / "mounts").write_text(f"/dev/vda / ext4 rw,relatime 0 0\n{mount}\n")
    assert on_one_machine(Path("/data/runs/a b/cell"), tmp_path / "mounts") == said
