"""Ray as an engine, on a cluster of two nodes on this machine: answers as of worker processes, kills and Ctrl-C."""

import importlib.util
import os
import signal
import sys
import threading
import time

import psutil
import pytest

from experiments.sweep import ray_engine
from experiments.sweep.ray_engine import RayEngine
from intpv.errors import BadInput

from ..cli import read

SWEEP = ("-m", "frames=8,16", "data.limit=24", "logger=none")  # long enough to be stopped in the middle
WORKER = "experiments.sweep.worker"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"address": 6379}, "engine.address must be a text"),
        ({"requeues": -1}, "engine.requeues must be a whole number of at least 0, got -1"),
        ({"options": {"num_gpus": 1}}, r"engine.options.num_gpus is set by intpv \(hydra.launcher.gpus_per_worker\)"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        RayEngine(**settings)


def test_without_the_package_it_is_said_before_anything_is_made(evaluate, bench, monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    code, said = evaluate("-m", "frames=8,16", "hydra/launcher=ray", "sweep.name=absent")
    assert (code, said.count("\n")) == (2, 1)
    assert said.endswith("pip install ray\n")
    assert not (bench.folder / "runs" / "absent").exists()


@pytest.fixture(scope="module")
def cluster():
    """A head that runs nothing, and two nodes with a core and four pretended GPUs each."""
    if not importlib.util.find_spec("ray"):
        pytest.skip("pip install ray")
    import ray
    from ray.cluster_utils import Cluster

    # else whatever runs beside the tests keeps Ray's workers waiting
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  Ray's own spelling
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    cluster.nodes = [cluster.add_node(num_cpus=1, num_gpus=4) for _ in range(2)]
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def on_ray(cluster):
    return ("hydra/launcher=ray", f"hydra.launcher.engine.address={cluster.address}")


@pytest.fixture
def expected(evaluate, bench):
    """Cell -> its samples, without any engine."""
    if not bench.cells("whole"):
        code, said = evaluate(*SWEEP, "sweep.name=whole", "hydra/launcher=basic")
        assert code == 0, said
    return samples(bench, "whole")


def samples(bench, sweep):
    return {name: (folder / "samples.jsonl").read_bytes() for name, folder in bench.cells(sweep).items()}


def workers():
    """Our processes, children of Ray's actors."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if WORKER in process.cmdline():
                found.append(process)
        except psutil.Error:
            pass
    return found


def at_work(bench, sweep):
    """Once something of the sweep is answered."""
    runs, deadline = bench.folder / "runs" / sweep, time.monotonic() + 200
    while not any(file.stat().st_size for file in runs.glob("*/samples.jsonl")):
        assert time.monotonic() < deadline, "the sweep answers nothing"
        time.sleep(0.02)


def meanwhile(bench, sweep, act):
    """A thread that does `act` once something of the sweep is answered."""

    def run():
        at_work(bench, sweep)
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_each_of_eight_gpus_is_one_actors(cluster):
    ray = ray_engine.connected(cluster.address)
    actor = ray_engine.remote_class().options(num_cpus=0, num_gpus=1)
    actors = [actor.remote(sys.path, os.getcwd(), place, 8) for place in range(8)]
    seen = ray.get([one.device.remote() for one in actors])
    for one in actors:
        ray.kill(one)
    assert sorted(seen) == sorted([*"0123"] * 2)  # none twice on a node


def test_a_worker_that_no_node_can_hold_is_refused(cluster, evaluate, on_ray):
    code, said = evaluate(*SWEEP, *on_ray, "sweep.name=large", "hydra.launcher.gpus_per_worker=5")
    assert code != 0
    assert "no node of the Ray cluster has room for a worker: it needs 5 GPUs" in said


def test_an_actor_that_is_killed_is_replaced_and_the_answers_are_those_of_processes(evaluate, bench, on_ray, expected):
    killed = []

    def kill():
        for worker in workers()[:1]:
            killed.append(worker.ppid())
            psutil.Process(worker.ppid()).kill()

    killer = meanwhile(bench, "killed", kill)
    code, said = evaluate(*SWEEP, *on_ray, "sweep.name=killed")
    killer.join()
    assert code == 0, said
    assert "2 workers on 3 nodes of Ray" in said
    assert killed
    assert "another worker goes on with it" in said
    assert samples(bench, "killed") == expected


def test_ctrl_c_ends_the_workers_and_leaves_what_was_answered(evaluate, bench, on_ray):
    killer = meanwhile(bench, "gone", lambda: os.kill(os.getpid(), signal.SIGINT))
    code, said = evaluate(*SWEEP, *on_ray, "sweep.name=gone")
    killer.join()
    assert code == 130
    assert "interrupted: what was answered is kept" in said
    assert not workers()
    assert "running" in {read(folder, "status.json")["status"] for folder in bench.cells("gone").values()}


def test_a_node_that_dies_costs_its_cells_in_flight_and_the_same_command_goes_on(
    cluster, evaluate, bench, on_ray, expected
):
    command = (*SWEEP, *on_ray, "hydra.launcher.engine.requeues=0", "sweep.name=lost")

    def kill():  # a node that is at work
        above = {process.pid for process in workers()[0].parents()}
        raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.nodes}
        (busy,) = above & raylets.keys()
        cluster.remove_node(raylets[busy], allow_graceful=False)

    killer = meanwhile(bench, "lost", kill)
    code, said = evaluate(*command)
    killer.join()
    assert code == 1, said
    assert "the same command goes on with it" in said
    code, said = evaluate(*command)
    assert code == 0, said
    assert samples(bench, "lost") == expected
