"""Replies: every answer of a judge in one JSONL file, appended as it comes, so that nothing is asked or paid twice."""

import json
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from intpv.errors import BadInput
from intpv.record.damaged import parse_json, read_bytes
from intpv.scorer.judge.client import Reply


class ReplyStore:
    """Key -> reply, of one judge under one prompt. The reply is kept as it was said, and read anew every time.

    Several processes may append: a line is one write. A line that a crash has torn is asked again, and so is a refusal
    whose line, which has `refused`, somebody takes out.
    """

    def __init__(self, file: Path) -> None:
        self.file, self.spoilt = file, 0  # lines that are no replies
        self._lock = threading.Lock()
        self._replies: dict[str, Reply] = {}
        for line in (read_bytes(file) or b"").split(b"\n"):
            if line.strip() and not self._take(line):
                self.spoilt += 1

    def _take(self, line: bytes) -> bool:
        with suppress(ValueError, TypeError):
            found = parse_json(line)
            if isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("key", "reply")):
                tokens_in, tokens_out = found.get("tokens") or (None, None)
                refused = str(found["refused"]) if "refused" in found else None
                served = str(found.get("served", ""))
                self._replies[found["key"]] = Reply(found["reply"], served, tokens_in, tokens_out, refused)
                return True
        return False

    def __contains__(self, key: str) -> bool:
        return key in self._replies

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, key: str) -> Reply | None:
        """None where it was not asked."""
        return self._replies.get(key)

    def keep(self, key: str, reply: Reply, asked: dict[str, str]) -> None:
        """Append; `asked` is for whoever reads the file. BadInput where the disk takes no more."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        fields = {"key": key, **asked, "reply": reply.text, "served": reply.served, "time": now}
        fields |= {} if reply.refused is None else {"refused": reply.refused}
        line = json.dumps({**fields, "tokens": [reply.tokens_in, reply.tokens_out]}) + "\n"
        with self._lock:
            try:
                self._append(line.encode())
            except OSError as error:
                raise BadInput(f"{self.file} cannot be written ({error.strerror})") from None
            self._replies[key] = reply

    def _append(self, line: bytes) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"
            content = b"\n" + line if torn else line
            if os.write(file, content) < len(content):
                raise OSError(28, "no space left on the device")
        finally:
            os.close(file)
