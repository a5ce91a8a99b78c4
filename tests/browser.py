"""A browser for tests: headless Chromium, spoken to through two pipes (Chrome DevTools Protocol)."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# all that a page shows, of the trees inside its elements too
TEXT = """(() => {
  const found = [];
  const walk = (node) => {
    if (node.shadowRoot) walk(node.shadowRoot);
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) found.push(child.data);
      else if (!["STYLE", "SCRIPT", "TEMPLATE", "NOSCRIPT"].includes(child.nodeName)) walk(child);
    }
  };
  walk(document.body);
  return found.join(" ").replace(/\\s+/g, " ");
})()"""


class Page:
    """One tab: what it shows, and what its scripts said to the console."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._number = to, back, b"", 0
        self._session: str | None = None
        self.said: list[tuple[str, str]] = []  # (error, warning, ..; what)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Runtime", "Log", "Page"):
            self._call(f"{part}.enable")

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text_with(self, *wanted: str, seconds: float = 200) -> str:
        """What the page shows, once all that is wanted is there."""
        deadline = time.monotonic() + seconds
        while any(one not in (text := self.value(TEXT) or "") for one in wanted):
            assert time.monotonic() < deadline, f"{[one for one in wanted if one not in text]} not in {text}"
            time.sleep(0.2)
        return text

    def errors(self) -> list[str]:
        return [what for kind, what in self.said if kind == "error"]

    def _call(self, method: str, **parameters: Any) -> dict:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        call = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._to, json.dumps(call).encode() + b"\0")
        while (message := self._message()).get("id") != self._number:
            self._hear(message.get("method", ""), message.get("params", {}))
        assert "result" in message, message
        return message["result"]

    def _message(self) -> dict:
        while b"\0" not in self._rest:
            content = os.read(self._back, 1 << 16)
            assert content, "the browser is gone"
            self._rest += content
        line, self._rest = self._rest.split(b"\0", 1)
        return json.loads(line)

    def _hear(self, method: str, told: dict) -> None:
        if method == "Runtime.exceptionThrown":
            self.said.append(("error", json.dumps(told["exceptionDetails"])))
        elif method == "Runtime.consoleAPICalled":
            self.said.append((told["type"], json.dumps([one.get("value") for one in told["args"]])))
        elif method == "Log.entryAdded":
            self.said.append((told["entry"]["level"], f"{told['entry']['text']} {told['entry'].get('url', '')}"))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a browser that keeps what it notes in `profile`."""
    (reading, to), (back, writing) = os.pipe(), os.pipe()
    command = [str(CHROMIUM), *QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    # the browser reads from 3 and writes to 4
    shell = ["bash", "-c", f'exec "$@" 3<&{reading} 4>&{writing}', "bash", *command]
    with subprocess.Popen(shell, pass_fds=[reading, writing], stderr=subprocess.DEVNULL) as process:
        os.close(reading)
        os.close(writing)
        try:
            yield Page(to, back)
        finally:
            process.terminate()
            os.close(to)
            os.close(back)
