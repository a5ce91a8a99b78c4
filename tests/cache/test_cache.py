"""Fetch: computed once, the same from everywhere, and counted."""

import pickle
import threading
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import instantiate

from intpv.cache.cache import Cache
from intpv.cache.disk import place
from intpv.cache.no_cache import NoCache
from intpv.errors import BadInput

from .entries import address, entry, same

CONF = Path(__file__).parents[2] / "conf" / "cache"


def unwanted():
    """For entries that are there."""
    pytest.fail("computed again")


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "cache"))


@pytest.fixture
def compute():
    """A computation that notes its calls; what it gives is turned and shares its memory."""

    def make():
        make.calls += 1
        base = torch.arange(12.0).view(3, 4)
        return {"turned": base.t(), "part": base[1:], "half": torch.ones(2, dtype=torch.bfloat16)}

    make.calls = 0
    return make


def test_memory_then_disk_then_computed(cache, compute):
    fresh = Cache(cache.dir)
    found = [cache.fetch("frames", address(), compute) for _ in range(3)]
    found += [fresh.fetch("frames", address(), compute) for _ in range(2)]
    found += [Cache(cache.dir, memory_gb=0).fetch("frames", address(), compute)]
    assert compute.calls == 1
    found += [NoCache().fetch("frames", address(), compute)]
    for tensors in found:
        assert same(tensors, compute())
        for name, tensor in tensors.items():
            assert tensor.stride() == found[0][name].stride()
            assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_counts_tell_kinds_and_places_apart(cache, compute):
    for number in (0, 1, 0):
        cache.fetch("frames", address(number), compute)
    cache.fetch("tower", address(2), compute)
    fresh = Cache(cache.dir)
    fresh.fetch("frames", address(), compute)
    counts = cache.counts()
    assert [counts["frames"][source] for source in ("memory", "disk", "computed")] == [1, 0, 2]
    assert [counts["tower"][source] for source in ("memory", "disk", "computed")] == [0, 0, 1]
    assert counts["frames"]["compute_s"] > 0 == counts["frames"]["read_s"]
    assert fresh.counts()["frames"]["disk"] == 1
    assert fresh.counts()["frames"]["read_s"] > 0 == fresh.counts()["frames"]["compute_s"]
    counts["frames"]["memory"] = 99
    assert cache.counts()["frames"]["memory"] == 1
    assert Cache(cache.dir).counts() == {}


def test_contains_reads_nothing(cache, compute):
    assert not cache.contains("frames", address())
    cache.fetch("frames", address(), compute)
    assert cache.contains("frames", address())
    assert Cache(cache.dir).contains("frames", address())
    place(cache.dir, "frames", address()).unlink()
    assert cache.contains("frames", address())  # in memory
    assert not Cache(cache.dir).contains("frames", address())


def test_a_damaged_entry_is_computed_again_and_mended(cache, compute):
    cache.fetch("frames", address(), compute)
    path = place(cache.dir, "frames", address())
    path.write_bytes(path.read_bytes()[:-1])
    assert same(Cache(cache.dir).fetch("frames", address(), compute), compute())
    assert Cache(cache.dir).fetch("frames", address(), unwanted)


def test_a_failing_computation_is_passed_on_and_leaves_nothing(cache):
    with pytest.raises(ZeroDivisionError):
        cache.fetch("frames", address(), lambda: {"x": torch.tensor(1 // 0)})
    assert not cache.contains("frames", address())
    assert cache.counts() == {}


def test_without_a_usable_folder_memory_still_serves(tmp_path, compute):
    (tmp_path / "cache").write_text("not a folder")
    cache = Cache(str(tmp_path / "cache"))
    for _ in range(2):
        assert same(cache.fetch("frames", address(), compute), NoCache().fetch("frames", address(), compute))
    assert cache.counts()["frames"] | {"compute_s": 0, "read_s": 0} == {
        "memory": 1,
        "disk": 0,
        "computed": 1,
        "compute_s": 0,
        "read_s": 0,
    }


def test_in_inference_mode_and_out_of_it(cache):
    with torch.inference_mode():
        made = cache.fetch("tower", address(), lambda: {"x": torch.ones(2, 3)[:1]})
    assert same(Cache(cache.dir).fetch("tower", address(), unwanted), made)


def test_threads_may_fetch_at_once(tmp_path):
    cache = Cache(str(tmp_path), memory_gb=1e-6)
    wrong = []

    def work():
        for number in list(range(20)) * 3:
            if not same(cache.fetch("frames", address(number), lambda n=number: entry(n)), entry(number)):
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    counts = cache.counts()["frames"]
    assert counts["memory"] + counts["disk"] + counts["computed"] == 4 * 60


def test_a_child_process_gets_the_folder_alone(cache, compute):
    cache.fetch("frames", address(), compute)
    child = pickle.loads(pickle.dumps(cache))
    assert child == cache
    assert child.counts() == {}
    child.fetch("frames", address(), unwanted)
    assert child.counts()["frames"]["disk"] == 1


@pytest.mark.parametrize("name", ["max_gb", "memory_gb", "prefix_gb"])
@pytest.mark.parametrize("value", [-1, -0.5, float("nan")])
def test_a_negative_size_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(BadInput, match=rf"^cache\.{name} must be (auto or )?at least 0, got {value}$"):
        Cache(str(tmp_path), **{name: value})


def test_sizes_may_be_nothing_or_no_limit(tmp_path, compute):
    nothing = Cache(str(tmp_path / "none"), 0, 0, 0)
    nothing.fetch("frames", address(), compute)
    nothing.fetch("frames", address(), compute)
    assert compute.calls == 2
    assert not (tmp_path / "none").exists()
    boundless = Cache(str(tmp_path), *[float("inf")] * 3)
    for _ in range(2):
        boundless.fetch("frames", address(), compute)
    assert compute.calls == 3


def test_the_folder_must_be_named_and_is_made_absolute(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"cache\.dir must name a folder"):
        Cache("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Cache("~/a").dir == Cache("a").dir == str(tmp_path / "a")


def test_prefixes_have_room_of_their_own(tmp_path):
    assert Cache(str(tmp_path), prefix_gb=1e-6).prefixes.max_bytes == 1000
    assert not NoCache().prefixes.put("a", [torch.zeros(1)])


def test_the_configs_are_these_two(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    default, off = (instantiate(yaml.safe_load((CONF / f"{name}.yaml").read_text())) for name in ("default", "off"))
    assert default == Cache(str(tmp_path / ".cache/intpv/cache"), 20, 2, "auto")
    assert off == NoCache()
    assert not off.contains("frames", address())
    assert list(tmp_path.iterdir()) == []  # nothing is made before it is needed
