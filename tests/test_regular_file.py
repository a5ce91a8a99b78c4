"""What is no file, or no end of one, is refused in one line by every reader, within the memory that it has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from intpv.regular_file import NotRegular, safetensors_table, size_of


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, str]:
    """Reader and kind of file -> what came of it, from a process that may take 1 GB."""
    command = [sys.executable, "-m", "tests.irregular_readers", str(tmp_path_factory.mktemp("files"))]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_no_reader_waits_fills_the_memory_or_breaks(said):
    assert len(said) > 60
    wrong = {case: line for case, line in said.items() if not line.startswith(("BadInput: ", "OSError: ", "went on"))}
    assert not wrong
    assert all(len(line.splitlines()) == 1 for line in said.values())


def test_what_is_refused_names_the_file(said):
    for case, line in said.items():
        name = case.partition(" / ")[0].partition(" ")[2]
        if line != "went on" and name.endswith("json"):
            assert name in line, case
    went_on = {case.split(" / ")[0] for case, line in said.items() if line == "went on"}
    # an entry is made again; a whole file goes before whatever else there is
    assert went_on <= {"cache entry"}


def test_a_size_is_that_of_a_file_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert size_of(tmp_path / "file") == size_of(str(tmp_path / "link"), most=5) == 5
    with pytest.raises(OSError, match="5 bytes, at most 4 are read"):
        size_of(tmp_path / "file", most=4)
    with pytest.raises(NotRegular, match="Is a directory"):
        size_of(tmp_path)
    with pytest.raises(FileNotFoundError):
        size_of(tmp_path / "none")


def test_a_table_of_contents_is_as_long_as_its_file(tmp_path):
    file = tmp_path / "file"
    save_file({"a": torch.zeros(3), "b": torch.ones(2, 2, dtype=torch.int8)}, file, {"of": "these"})
    table = safetensors_table(file)
    assert (table["__metadata__"], table["a"]["shape"], table["b"]["dtype"]) == ({"of": "these"}, [3], "I8")
    save_file({}, tmp_path / "empty")
    assert safetensors_table(tmp_path / "empty").keys() <= {"__metadata__"}
    content = file.read_bytes()
    for wrong in (content[:-1], content + b"0", content[:20], content[:4], b"", bytes(100)):
        file.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"table of contents|char \d"):
            safetensors_table(file)
