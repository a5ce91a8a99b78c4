"""Chat client: one request to an OpenAI-compatible endpoint, and what every way of failing means for the next one."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from intpv.errors import BadInput
from intpv.escape import printable

Messages = Sequence[Mapping[str, str]]  # role and content each
AGAIN = (408, 409, 425, 429)  # and all from 500 on: the same request may well be answered next time
OF_THE_QUESTION = (400, 413, 422)  # a filter, or a text too long; or a setting that no question could pass with
LARGEST = 2**20  # bytes of a reply
SHOWN = 200  # characters of what a server says


class Stopped(BadInput):
    """The judge answers nobody: a refused key, no such model, an empty account. What was judged is kept."""


class Transient(Exception):
    """No answer this time. `cause` is a word for counting, `wait` the seconds that the server asks for, if it does."""

    def __init__(self, cause: str, said: str = "", wait: float | None = None) -> None:
        super().__init__(f"{cause}: {said}" if said else cause)
        self.cause, self.wait = cause, wait


class Refused(Exception):
    """The judge will not answer this question."""


@dataclass(frozen=True)
class Reply:
    """What came back for one question."""

    text: str
    served: str  # the model that the server says has answered
    tokens_in: int | None  # as the server counts them
    tokens_out: int | None
    refused: str | None = None  # why there is no text


@dataclass(frozen=True)
class ChatClient:
    """Temperature 0; any number of threads may ask. The key is sent and never shown, kept or logged."""

    url: str  # the API's base, as http://localhost:8000/v1
    model: str
    timeout_s: float | int  # seconds until the whole answer must be there
    max_tokens: int
    body: Mapping[str, Any] = field(default_factory=dict)  # further fields of the request; null takes one away
    key: str | None = field(default=None, repr=False)
    key_variable: str = "the key"  # what a refusal calls it

    def __post_init__(self) -> None:
        try:
            import requests  # comes with wandb; a tenth of a second that no other scorer waits for
            from requests.adapters import HTTPAdapter
        except ImportError:
            raise BadInput("scorer=llm_judge needs the package requests: pip install 'intpv[judge]'") from None

        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=64, max_retries=0))
        object.__setattr__(self, "_session", session)

    def ask(self, messages: Messages) -> Reply:
        """Raises Transient, Refused or Stopped where there is no reply."""
        status, headers, content = self._send(messages)
        if status == 200:
            return _reply(content)
        said = self._said(content)
        if status in OF_THE_QUESTION:
            raise Refused(f"{status}: {said}")
        if status == 429 and "insufficient_quota" in said:
            raise Stopped(f"{self._place}: the account of {self.key_variable} is used up (429: {said})")
        if status in AGAIN or status >= 500:
            raise Transient(str(status), said, retry_after(headers.get("Retry-After")))
        raise Stopped(self._refusal(status, headers, said))

    def _send(self, messages: Messages) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, body. The time-out holds for the whole: a server that trickles ends too."""
        import requests

        fields = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": self.max_tokens}
        fields = {name: value for name, value in {**fields, **self.body}.items() if value is not None}
        end = time.monotonic() + self.timeout_s
        try:
            with self._session.post(  # type: ignore[attr-defined]
                f"{self.url.rstrip('/')}/chat/completions",
                json=fields,
                timeout=self.timeout_s,
                stream=True,
                allow_redirects=False,  # a redirected POST loses its body
                auth=self._authorise,  # not a header, which ~/.netrc would overrule
            ) as answer:
                content = b""
                for piece in answer.iter_content(4096):
                    content += piece
                    if time.monotonic() > end:
                        raise Transient("time-out", f"not whole after {self.timeout_s:g} s")
                    if len(content) > LARGEST:
                        raise Transient("no JSON", f"more than {LARGEST} bytes")
                return answer.status_code, answer.headers, content
        except requests.Timeout:
            raise Transient("time-out", f"{self.timeout_s:g} s") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise Stopped(f"scorer.url must be an http or https address, got {self.url}") from None
        except requests.exceptions.ChunkedEncodingError:
            raise Transient("cut off") from None
        except requests.RequestException as error:  # its text names objects in memory; the type says enough
            if "timed out" in str(error):  # while the body came: requests has no Timeout for that
                raise Transient("time-out", f"{self.timeout_s:g} s") from None
            raise Transient("no connection", type(error).__name__) from None

    def _authorise(self, request: Any) -> Any:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request

    @property
    def _place(self) -> str:
        return f"judge {self.model} at {urlsplit(self.url).netloc}"

    def _refusal(self, status: int, headers: Mapping[str, str], said: str) -> str:
        if status in (401, 403):
            state = "is refused" if self.key else "is not set"
            return f"{self._place}: {self.key_variable} {state} ({status}: {said})"
        if 300 <= status < 400:
            return f"{self._place}: scorer.url is redirected to {headers.get('Location', 'nowhere')}, got {self.url}"
        return f"{self._place}: the request is refused ({status}: {said})"

    def _said(self, content: bytes) -> str:
        """One line of the server's reason; a server that repeats the key is not repeated."""
        text = content.decode(errors="replace")
        try:
            found = json.loads(text)
            error = found.get("error", found)
            reason = error.get("message", error) if isinstance(error, dict) else error
            code = error.get("code") if isinstance(error, dict) else None
            text = f"{reason} ({code})" if code else str(reason)
        except (ValueError, AttributeError, RecursionError):
            pass
        text = text.replace(self.key, "***") if self.key else text
        return printable(" ".join(text.split()))[:SHOWN] or "nothing said"


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, 10.2.3); None for none or nonsense.

    >>> retry_after("2"), retry_after("soon"), retry_after("Thu, 01 Jan 1970 00:00:00 GMT")
    (2.0, None, 0.0)
    """
    if value is None:
        return None
    try:
        return max(0.0, min(float(value), 1e9))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _reply(content: bytes) -> Reply:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Transient("no JSON", "half of it" if content.lstrip()[:1] == b"{" else "something else") from None
    if not isinstance(found, dict) or ("error" in found and "choices" not in found):
        raise Transient("no reply", printable(str(found)[:SHOWN]))
    try:
        text = found["choices"][0]["message"]["content"]
    except (LookupError, TypeError):
        raise Transient("no reply", "no choices") from None
    if not isinstance(text, str):
        raise Refused("it answered without a text")
    said = found.get("usage")
    usage: dict = said if isinstance(said, dict) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (count if type(count) is int else None for count in counts)
    return Reply(text, str(found.get("model", "")), tokens_in, tokens_out)
