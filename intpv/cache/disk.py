"""DiskCache: entries in a folder, shared by all processes. It may lose an entry; it never stops a run or lies."""

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from intpv.cache.entry import BadEntry, decode, encode
from intpv.cache.eviction import make_room, touch
from intpv.cache.place import place, unfinished

log = logging.getLogger(__name__)


class DiskCache:
    """At most `max_bytes` under `dir`. What is wrong with the folder is said in one warning, then the run goes on.

    There are no locks: an entry appears whole by a rename, and its content follows from its key, so that two writers
    of one key write the same. Nothing is synced; an entry torn by a power cut fails its checksum and is made again.
    """

    def __init__(self, dir: str | os.PathLike, max_bytes: int | float) -> None:
        self.dir = Path(dir)
        self.max_bytes = max_bytes
        self._room: int | float = 0  # bytes to write before the folder must be looked at again
        self._writable = max_bytes > 0
        self._said: set[str] = set()

    def get(self, kind: str, key: str) -> dict[str, Tensor] | None:
        """The entry's tensors on the CPU, or None. An entry that is not whole is reported, deleted, and None."""
        path = place(self.dir, kind, key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say("folder", f"cache {self.dir} cannot be used, going on without it: {error.strerror}")
            return None
        try:
            tensors = decode(key, content)
        except BadEntry as error:
            self._say(key, f"cache entry {path} is deleted and made again: {error}")
            with suppress(OSError):
                path.unlink()
            return None
        touch(path)
        return tensors

    def put(self, kind: str, key: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        """Store CPU tensors that are contiguous and share no memory; `about` is readable in the file's metadata."""
        if not self._writable:
            return
        content = encode(key, tensors, about)
        if len(content) > self._room:
            self._room = make_room(self.dir, len(content), self.max_bytes)
        if len(content) > self._room:
            size, limit = (f"{number / 1e9:.3g} GB" for number in (len(content), self.max_bytes))
            self._say("size", f"cache {self.dir} has no room for {kind} of {size}, its limit is {limit}")
            return
        self._room -= len(content)
        path = place(self.dir, kind, key)
        try:
            try:
                _write(path, content)
            except FileNotFoundError:  # someone cleared the folder while we wrote
                _write(path, content)
        except OSError as error:
            self._writable = False  # trying on could take a full disk's last bytes from the run folder
            self._say("folder", f"cache {self.dir} cannot be written, going on without it: {error.strerror}")

    def _say(self, about: str, line: str) -> None:
        if about not in self._said:
            self._said.add(about)
            log.warning(line)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path)
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        touch(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
