"""A language model by OpenAI's protocol: vLLM, Ollama, llama.cpp and hosted services alike. It has words, and no say.

    llm = LLM(LLMConfig(mode="live", url="http://localhost:8000/v1", model="qwen"), "runs/learn/llm", Budget(calls=40))
    answer = llm.complete([{"role": "user", "content": "..."}], purpose="envgen", draw=3)
    if isinstance(answer, Refused): ...        # go on without

Modes: `none` refuses everything; `replay` answers from a transcript, and a miss is an error that names the key and the
file; `cache` asks the server for what no transcript holds; `live` asks for what this run's own transcript does not
hold, so that a killed run gets the answers that it had. `draw` is part of the key: to ask again is another number.

The budget is charged before each request, with the most that it can cost: every byte of the prompt a token and the
whole of max_tokens. It is settled by what the server reports. So a request that could go beyond it is never sent.

    llm/transcript.jsonl    one line a call: key, request, text or failure, usage, seconds; no keys of services
    llm/raw/KEY.txt         the model's text, byte for byte
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jarvis.app.curriculum.replies import LONGEST
from jarvis.core.errors import FormatError, JarvisError, MissingExtraError, UnknownNameError, nearest_names
from jarvis.core.files import append_json_line, atomic_write, parse_json, read_json_lines
from jarvis.core.random_streams import generator

__all__ = [
    "LLM",
    "LLM_MODES",
    "Budget",
    "Completion",
    "LLMConfig",
    "LLMError",
    "LLMSettingError",
    "Refused",
    "parse_budget",
    "parse_llm",
]

LLM_MODES = ("none", "replay", "cache", "live")
MOST_BYTES = 1 << 22  # of one response
TOKENS_A_MESSAGE = 16  # that a chat template may add
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class LLMError(JarvisError, RuntimeError):
    """A transcript that lacks what is asked."""


class LLMSettingError(LLMError, ValueError):
    """A model, an address or a budget that cannot be."""


@dataclass(frozen=True)
class LLMConfig:
    """How to reach a model."""

    mode: str = "none"
    url: str = ""  # of an OpenAI-compatible service, ending in /v1 as a rule
    model: str = ""  # empty: the first that the service lists
    transcript: str = ""  # replay and cache: where to look; the run's own is always looked at
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 2048  # of an answer
    timeout: float = 60.0  # seconds until something must come
    deadline: float = 180.0  # seconds until the whole answer is there, all tries together
    tries: int = 4
    wait: float = 1.0  # seconds before the second try, doubled each time, with jitter
    structured: bool = True  # ask the server to hold the answer to the schema; servers that cannot are asked without
    usd_in: float = 0.0  # for a million tokens
    usd_out: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in LLM_MODES:
            raise UnknownNameError("mode of a language model", self.mode, nearest_names(self.mode, LLM_MODES))
        if self.mode in ("cache", "live") and urlsplit(self.url).scheme not in ("http", "https"):
            raise LLMSettingError(f"language model {self.url!r}: expected http://HOST:PORT/v1 or https://...")


@dataclass(frozen=True)
class Budget:
    """What a run may use. Anything left out is without limit."""

    calls: float = math.inf  # requests that are sent, retries included
    tokens: float = math.inf
    seconds: float = math.inf  # of waiting for answers
    usd: float = math.inf
    calls_of: Mapping[str, int] = field(default_factory=dict)  # {purpose: calls}
    steps: float = math.inf  # of the environment; the loop looks after these


def parse_budget(text: str) -> Budget:
    """`2usd`, `40calls,100000tokens,600s`, `500000steps`: in any order, parted by commas."""
    names = {"usd": "usd", "calls": "calls", "tokens": "tokens", "s": "seconds", "seconds": "seconds", "steps": "steps"}
    values: dict[str, float] = {}
    for part in filter(None, (part.strip().replace("_", "") for part in text.split(","))):
        number = part.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$")
        unit = part[len(number) :].lower().strip()
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if unit not in names or not value >= 0 or names[unit] in values:
            raise LLMSettingError(
                f"budget {part!r}: expected for instance 2usd, 40calls, 100000tokens, 600s or 500000steps"
            )
        values[names[unit]] = value
    return Budget(**values)  # type: ignore[arg-type]


def parse_llm(text: str) -> LLMConfig:
    """`none`, `replay:FILE`, `cache:URL#MODEL`, or `URL#MODEL`; without a model the service's first is taken."""
    kind, colon, rest = text.partition(":")
    if text == "none":
        return LLMConfig()
    if kind == "replay" and rest:
        return LLMConfig("replay", transcript=rest)
    mode, address = ("cache", rest) if kind == "cache" and colon else ("live", text)
    url, _, model = address.partition("#")
    if urlsplit(url).scheme not in ("http", "https"):
        raise LLMSettingError(
            f"--llm {text}: expected none, replay:FILE, cache:URL#MODEL or URL#MODEL, with http:// or https://"
        )
    return LLMConfig(mode, url=url, model=model)


@dataclass(frozen=True)
class Completion:
    """A model's answer."""

    text: str
    key: str
    prompt_tokens: int
    completion_tokens: int
    source: str  # live, cache or replay
    structured: bool = False  # the server promised to keep to the schema


@dataclass(frozen=True)
class Refused:
    """No answer, and why: kind is none, budget or failed."""

    kind: str
    reason: str
    key: str = ""


class _Failure(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: str, *, again: bool, after: float | None = None, billed: bool = False) -> None:
        super().__init__(reason)
        self.again, self.after, self.billed = again, after, billed


class LLM:
    """See the top of the module. Not for several threads."""

    def __init__(self, config: LLMConfig | None = None, folder: str | Path | None = None, budget: Budget | None = None
                 ) -> None:  # fmt: skip
        self.config, self.budget = config or LLMConfig(), budget or Budget()
        self.folder = None if folder is None else Path(folder)
        if math.isfinite(self.budget.usd) and self.config.mode in ("cache", "live"):
            if not (self.config.usd_in or self.config.usd_out):
                raise LLMSettingError(
                    "a budget in usd needs prices: --set model.usd_in=1.5 --set model.usd_out=6 (a million)"
                )
        self.calls = self.prompt_tokens = self.completion_tokens = 0
        self.seconds = self.usd = 0.0
        self.calls_of: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self._client: Any = None
        self._known: dict[str, dict[str, Any]] = {}
        if self.config.mode == "none":
            return
        own = None if self.folder is None else self.folder / "transcript.jsonl"
        if self.config.transcript:
            for line in self._lines(Path(self.config.transcript), needed=self.config.mode == "replay"):
                if "text" in line:
                    self._known[line["key"]] = line
        for line in self._lines(own, needed=False) if own is not None else ():
            self._known[line["key"]] = line | {"own": True}
            self._settle(line)
        if not self.config.model:
            models = [line["request"]["model"] for line in self._known.values() if line.get("request", {}).get("model")]
            if models:
                self.config = replace(self.config, model=models[0])

    @staticmethod
    def _lines(path: Path, needed: bool) -> list[dict[str, Any]]:
        if not path.exists():
            if needed:
                raise LLMSettingError(f"{path}: there is no such transcript to replay")
            return []
        lines = read_json_lines(path).values
        for number, line in enumerate(lines, 1):
            if not isinstance(line, dict) or not isinstance(line.get("key"), str):
                raise FormatError(f"{path}: line {number}: expected a call with a key")
        return lines

    # what a run has used

    @property
    def tokens(self) -> int:
        """Both kinds together."""
        return self.prompt_tokens + self.completion_tokens

    def costs(self) -> dict[str, Any]:
        """Everything that was used, for the page."""
        return {
            "calls": self.calls, "calls_of": dict(self.calls_of), "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens, "seconds": round(self.seconds, 3), "usd": round(self.usd, 6),
            "refused": dict(self.refused),
        }  # fmt: skip

    def _settle(self, line: Mapping[str, Any]) -> None:
        """Books a line of the run's own transcript."""
        usage = line.get("usage") or {}
        prompt, completion = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
        self.calls += int(line.get("requests", 1))
        purpose = line.get("purpose", "")
        self.calls_of[purpose] = self.calls_of.get(purpose, 0) + int(line.get("requests", 1))
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        self.seconds += float(line.get("seconds", 0.0))
        self.usd += self._price(prompt, completion)

    def _price(self, prompt: float, completion: float) -> float:
        return (prompt * self.config.usd_in + completion * self.config.usd_out) / 1e6

    def _beyond(self, purpose: str, prompt: int, spent: tuple[int, int, int, float]) -> str | None:
        """What one more request could exceed. spent: this call's own requests, tokens in and out, seconds so far."""
        requests, extra_in, extra_out, seconds = spent
        most = self.config.max_tokens
        if self.calls + requests + 1 > self.budget.calls:
            return f"{self.budget.calls:g} calls"
        limit = self.budget.calls_of.get(purpose, math.inf)
        if self.calls_of.get(purpose, 0) + requests + 1 > limit:
            return f"{limit:g} calls for {purpose}"
        if self.tokens + extra_in + extra_out + prompt + most > self.budget.tokens:
            return f"{self.budget.tokens:g} tokens"
        if self.usd + self._price(extra_in + prompt, extra_out + most) > self.budget.usd:
            return f"{self.budget.usd:g} usd"
        if self.seconds + seconds >= self.budget.seconds:
            return f"{self.budget.seconds:g} seconds"
        return None

    # asking

    def key(self, messages: Sequence[Mapping[str, str]], purpose: str, schema: Any = None, draw: int = 0) -> str:
        """The identity of a request: everything that the answer may depend on."""
        config = self.config
        meaning = [config.model, list(messages), config.temperature, config.seed, schema, purpose, draw]
        return hashlib.blake2b(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:32]

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, purpose: str, schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Completion | Refused:  # fmt: skip
        """The model's answer, or why there is none. LLMError only for a transcript that lacks what is replayed."""
        if self.config.mode == "none":
            return self._refuse("none", "no language model is set")
        if not self.config.model and self.config.mode in ("cache", "live"):
            try:
                self.config = replace(self.config, model=self._first_model())
            except _Failure as failure:
                return self._refuse("failed", str(failure))
        key = self.key(messages, purpose, schema, draw)
        line = self._known.get(key)
        if line is not None and (self.config.mode != "live" or line.get("own")):
            if "failed" in line:
                return self._refuse("failed", line["failed"], key)
            source = "cache" if self.config.mode != "replay" else "replay"
            if not line.get("own"):
                self._keep(line | {"seconds": 0.0, "requests": 0, "usage": {}, "copied": True})
            usage = line.get("usage") or {}
            return Completion(
                line["text"], key, int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)), source,
                bool(line.get("structured")),
            )  # fmt: skip
        if self.config.mode == "replay":
            raise LLMError(
                f"{self.config.transcript}: no answer to {purpose} (key {key}); the run differs from the recorded one "
                "in its settings, seeds or results. Record it anew with --llm URL"
            )
        return self._ask(key, messages, purpose, schema, draw)

    def _refuse(self, kind: str, reason: str, key: str = "") -> Refused:
        self.refused[kind] = self.refused.get(kind, 0) + 1
        return Refused(kind, reason, key)

    def _ask(
        self, key: str, messages: Sequence[Mapping[str, str]], purpose: str, schema: Any, draw: int
    ) -> Completion | Refused:
        request: dict[str, Any] = {
            "model": self.config.model, "messages": list(messages), "temperature": self.config.temperature,
            "seed": self.config.seed + draw, "max_tokens": self.config.max_tokens,
        }  # fmt: skip
        if schema is not None and self.config.structured:
            named = {"name": purpose, "schema": schema, "strict": False}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
        prompt = sum(len(str(m["content"]).encode()) + TOKENS_A_MESSAGE for m in messages)
        random = generator(self.config.seed, "llm", key)
        began = time.monotonic()
        requests = billed_in = billed_out = 0
        failure = "no try was made"
        for number in range(self.config.tries):
            seconds = time.monotonic() - began
            beyond = self._beyond(purpose, prompt, (requests, billed_in, billed_out, seconds))
            if beyond is not None:
                if requests == 0:
                    return self._refuse("budget", f"the budget of {beyond} would be exceeded", key)
                failure += f"; another try would exceed the budget of {beyond}"
                break
            left = min(self.config.deadline, self.budget.seconds - self.seconds) - seconds
            if left <= 0:
                failure += "; the deadline is over"
                break
            requests += 1
            try:
                text, usage, structured = self._send(request, left)
            except _Failure as error:
                failure = str(error)
                if error.billed:  # somebody may have answered: the most that it can have cost
                    billed_in, billed_out = billed_in + prompt, billed_out + self.config.max_tokens
                if "response_format" in request and "400" in failure:
                    del request["response_format"]  # it does not know schemas
                    continue
                if not error.again:
                    break
                pause = self.config.wait * 2**number * float(random.uniform(0.5, 1.0))
                pause = max(pause, error.after or 0.0)
                if (
                    time.monotonic() - began + pause >= min(self.config.deadline, self.budget.seconds - self.seconds)
                    or number + 1 == self.config.tries
                ):
                    break
                time.sleep(pause)
                continue
            usage = {  # what is not told counts as the most that it can be
                "prompt_tokens": usage.get("prompt_tokens", prompt) + billed_in,
                "completion_tokens": usage.get("completion_tokens", self.config.max_tokens) + billed_out,
            }
            self._keep({
                "key": key, "purpose": purpose, "draw": draw, "request": _without_schema(request), "text": text,
                "structured": structured, "usage": usage, "requests": requests,
                "seconds": round(time.monotonic() - began, 3),
            })  # fmt: skip
            return Completion(text, key, usage["prompt_tokens"], usage["completion_tokens"], "live", structured)
        self._keep({
            "key": key, "purpose": purpose, "draw": draw, "request": _without_schema(request), "failed": failure,
            "usage": {"prompt_tokens": billed_in, "completion_tokens": billed_out}, "requests": requests,
            "seconds": round(time.monotonic() - began, 3),
        })  # fmt: skip
        return self._refuse("failed", failure, key)

    def _keep(self, line: dict[str, Any]) -> None:
        self._known[line["key"]] = line | {"own": True}
        self._settle(line)
        if self.folder is not None:
            append_json_line(self.folder / "transcript.jsonl", line)
            if "text" in line:
                atomic_write(self.folder / "raw" / f"{line['key']}.txt", line["text"].encode(errors="surrogatepass"))

    # the wire

    def _connect(self) -> Any:
        if self._client is None:
            try:
                import openai
            except ImportError as error:
                raise MissingExtraError("llm", "A language model") from error
            self._client = openai.OpenAI(base_url=self.config.url, api_key=_service_key(self.config.url), max_retries=0)
        return self._client

    def _first_model(self) -> str:
        import openai

        try:
            listed = self._connect().with_options(timeout=self.config.timeout).models.list().data
            return str(listed[0].id)
        except (openai.OpenAIError, IndexError, AttributeError, TypeError, ValueError) as error:
            raise _Failure(
                f"{self.config.url}: no model is listed ({error}); name one: URL#MODEL", again=False
            ) from None

    def _send(self, request: Mapping[str, Any], left: float) -> tuple[str, dict[str, int], bool]:
        """One request: text, usage, and whether the schema was kept by the server. _Failure for anything else."""
        import openai

        client = self._connect().with_options(timeout=min(self.config.timeout, left))
        ends = time.monotonic() + left
        # NOTE: timeouts are for each packet; a body that drips for ever is cut by closing the connection under it.
        watchdog = threading.Timer(left, client.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            with client.chat.completions.with_streaming_response.create(**request) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise _Failure(f"more than {MOST_BYTES} bytes came", again=False, billed=True)
                    if time.monotonic() > ends:
                        raise _Failure("the answer did not end in time", again=False, billed=True)
        except openai.APIStatusError as error:
            after = _seconds(error.response.headers.get("retry-after"))
            reason = f"the service answered {error.status_code}: {_redacted(str(error))[:200]}"
            raise _Failure(reason, again=error.status_code in RETRIED, after=after) from None
        except openai.APITimeoutError:
            raise _Failure("nothing came in time", again=True, billed=True) from None
        except Exception as error:
            # The library lets errors of its own transport through, whose package is another in each of its versions.
            ours = (openai.OpenAIError, RuntimeError, OSError)
            if isinstance(error, _Failure) or not (
                isinstance(error, ours) or type(error).__module__.startswith(("httpx", "httpcore"))
            ):
                raise
            if time.monotonic() > ends:
                raise _Failure("the answer did not end in time", again=False, billed=True) from None
            raise _Failure(
                f"the connection broke: {type(error).__name__}: {error}"[:200], again=True, billed=True
            ) from None
        finally:
            watchdog.cancel()
            if time.monotonic() > ends:
                self._client = None  # it may have been closed
        return (*_text_of(bytes(body)), "response_format" in request)


def _text_of(body: bytes) -> tuple[str, dict[str, int]]:
    try:
        value = parse_json(body, "the service's answer")
        text = value["choices"][0]["message"]["content"]
        if not isinstance(text, str):
            raise TypeError(f"content is {type(text).__name__}")
    except (FormatError, KeyError, IndexError, TypeError) as error:
        raise _Failure(f"not an answer of OpenAI's protocol: {error!r}"[:200], again=True, billed=True) from None
    told = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    usage = {}
    for name in ("prompt_tokens", "completion_tokens"):
        count = told.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**40:
            usage[name] = count
    return _redacted(text)[:LONGEST], usage


def _service_key(url: str) -> str:
    """From the environment alone. OPENAI_API_KEY goes to openai.com only, JARVIS_LLM_KEY wherever --llm points."""
    host = urlsplit(url).hostname or ""
    own = os.environ.get("JARVIS_LLM_KEY")
    if own:
        return own
    openai_host = host == "openai.com" or host.endswith(".openai.com")
    return (os.environ.get("OPENAI_API_KEY") if openai_host else None) or "none"


def _redacted(text: str) -> str:
    """A service that sends a key back must not bring it into a file."""
    for name in ("JARVIS_LLM_KEY", "OPENAI_API_KEY"):
        key = os.environ.get(name)
        if key and len(key) > 3:
            text = text.replace(key, "[key]")
    return text


def _seconds(header: str | None) -> float | None:
    try:
        value = float(header) if header else math.nan
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def _without_schema(request: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "response_format"}
