"""Ways in which a file is spoilt: by a full disk, a crash, a hand."""

from collections.abc import Callable
from pathlib import Path


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "kept").write_text("somebody's")


WAYS: dict[str, Callable[[Path], None]] = {
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]),
    "garbage": lambda file: file.write_bytes(b"\xff\x00\xfe{" * 40),
    "list": lambda file: file.write_text("[1, 2]\n"),
    "number": lambda file: file.write_text("7\n"),
    "null": lambda file: file.write_text("null\n"),
    "another schema": lambda file: file.write_text('{"status": "finished", "accuracy": "high"}\n'),
    "folder": _folder,
    "unreadable": lambda file: file.chmod(0),
}


def obey_modes(monkeypatch) -> None:
    """Files of mode 000 cannot be read, as for a user; the tests may be run by root, whom no mode stops."""
    read = Path.read_bytes

    def refused(self: Path) -> bytes:
        if not self.stat().st_mode & 0o444:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refused)
