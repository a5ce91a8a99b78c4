"""A judge on the loopback that answers as it is told: right, late, by half, in garbage, or not at all."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from intpv.scorer.judge import judging

YES = '{"pred": "yes", "score": 5}'
KEY = "sk-loopback-secret"


def completion(content: object, model: str = "judge-2026-01-01") -> bytes:
    """A reply as OpenAI's format has it."""
    usage = {"prompt_tokens": 100, "completion_tokens": 9}
    return json.dumps({"model": model, "choices": [{"message": {"content": content}}], "usage": usage}).encode()


class JudgeServer:
    """`behave(prompt, times)` -> what is done about the times-th request with this prompt, see Handler."""

    def __init__(self, behave: Callable[[str, int], object]) -> None:
        self.behave, self.times, self.bodies, self.headers = behave, Counter(), [], []
        self.lock, self.active, self.most_at_once = threading.Lock(), 0, 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> "JudgeServer":
        self.thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.http.shutdown()
        self.http.server_close()


def _handler(server: JudgeServer) -> type:
    class Handler(BaseHTTPRequestHandler):
        """What `behave` gives: a text is the reply; (status, headers, body) is sent; "half" cuts a whole reply, "stall"
        waits in it; a float waits so many seconds; "drop" hangs up; bytes are the body of a 200."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][-1]["content"]
            with server.lock:
                server.bodies.append((self.path, body))
                server.headers.append(dict(self.headers))
                server.times[prompt] += 1
                times = server.times[prompt]
                server.active += 1
                server.most_at_once = max(server.most_at_once, server.active)
            try:
                self._answer(server.behave(prompt, times))
            except OSError:  # a client that would not wait
                pass
            finally:
                with server.lock:
                    server.active -= 1

        def _answer(self, what: object) -> None:
            if what == "drop":
                self.close_connection = True
            elif what == "half":
                whole = completion(YES)
                self._send(200, {}, whole[: len(whole) // 2], len(whole))
                self.close_connection = True
            elif what == "stall":
                whole = completion(YES)
                self._send(200, {}, whole[: len(whole) // 2], len(whole))
                threading.Event().wait(9)
            elif what == "half, and calls it whole":
                whole = completion(YES)
                self._send(200, {}, whole[: len(whole) // 2])
            elif isinstance(what, float):
                threading.Event().wait(what)
                self._send(200, {}, completion(YES))
            elif isinstance(what, tuple):
                self._send(*what)
            else:
                self._send(200, {}, what if isinstance(what, bytes) else completion(what))

        def _send(self, status: int, headers: dict, body: bytes, length: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def at_once(monkeypatch) -> None:
    """Retries come without waiting, and no proxy stands before the loopback."""
    monkeypatch.setattr(judging, "FIRST_S", 0.001)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def serving():
    """For a fixture: behave -> a running server, as many as are wanted."""
    servers = []

    def start(behave):
        servers.append(JudgeServer(behave).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()
