"""Where entries lie, told without torch and without reading."""

import pytest

from intpv.cache.disk import ENTRY, UNFINISHED, exists, place, unfinished

from .entries import address, entry


def test_an_entry_exists_once_it_is_put(disk):
    assert not exists(disk.dir, "frames", address())
    disk.put("frames", address(), entry(), {})
    assert exists(disk.dir, "frames", address())
    assert exists(str(disk.dir), "frames", address())
    assert not exists(disk.dir, "tower", address())
    assert not exists(disk.dir, "frames", address(1))
    assert not exists(disk.dir / "frames" / address()[:2] / f"{address()}.safetensors", "frames", address())


@pytest.mark.parametrize(("kind", "key"), [("../frames", address()), ("", address()), ("frames", "../../x")])
def test_no_name_leads_elsewhere(tmp_path, kind, key):
    with pytest.raises(ValueError, match="a word and 64 hex digits"):
        place(tmp_path, kind, key)


def test_names_are_told_apart(tmp_path):
    path = place(tmp_path, "frames", address())
    assert path.relative_to(tmp_path).parts == ("frames", address()[:2], f"{address()}.safetensors")
    assert ENTRY.fullmatch(path.name)
    assert not UNFINISHED.fullmatch(path.name)
    names = {unfinished(path) for _ in range(3)}
    assert len(names) == 3
    for name in names:
        assert name.parent == path.parent
        assert UNFINISHED.fullmatch(name.name)
        assert not ENTRY.fullmatch(name.name)
