"""A model behind an OpenAI-compatible server (vLLM) as a Policy: `openai:http://127.0.0.1:8000/v1#MODEL`.

    policy = OpenAIPolicy("http://127.0.0.1:8000/v1#JarvisVLA-Qwen2-VL-7B")
    policy.reset([goal], seeds=[7])
    [action] = policy.act([observation])

Works with the released 7B model: vllm serve CraftJarvis/JarvisVLA-Qwen2-VL-7B --limit-mm-per-prompt '{"image": 5}'.
Generation stops at the end tag, a reply has few tokens, the wording is fixed for an episode (so the server caches the
prompt's beginning) and all rows are asked at once. A reply that is no action, an error, or silence is tried again and
counted; when nothing helps, `act` raises ServerError, and the episode is aborted with its reason.
"""

from __future__ import annotations

import base64
import re
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.errors import ActionError, JarvisError, MissingExtraError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import stream_seed
from jarvis.core.rows import Rows
from vla.action_codecs import END, GroupCodec, TextCodec, get, is_null
from vla.grammar import NullStreak
from vla.policy import fitted

__all__ = ["OpenAIPolicy", "ServerError", "data_url"]

TOKENS_EACH = 16  # of one action, at most
LINE_TOKENS = 48  # of one action in words
_RESERVED = re.compile(r"<\|reserved_special_token_(\d+)\|>")


class ServerError(JarvisError, RuntimeError):
    """The server gave no usable reply, however often it was asked."""


def data_url(frame: np.ndarray, quality: int = 75) -> str:
    """A frame as a JPEG in a URL, as JARVIS-VLA's client sends it."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass
class _Row:
    instruction: str
    seed: int
    asked: int = 0
    earlier: deque[tuple[str, str]] = field(default_factory=deque)  # (picture, reply)
    pending: deque[Action] = field(default_factory=deque)
    streak: NullStreak = field(default_factory=NullStreak)


class OpenAIPolicy(Rows):
    """Many episodes at once, one request a row and reply."""

    def __init__(
        self,
        address: str,
        *,
        codec: str = "jarvisvla-v1",
        temperature: float = 0.8,
        history: int = 0,
        chunk: int = 1,
        width: int = 640,
        height: int = 360,
        tries: int = 3,
        timeout: float = 20.0,  # seconds for one try
        pause: float = 0.2,  # seconds after a failed try, doubled each time
        api_key: str = "none",
    ) -> None:
        """address: URL#MODEL. codec: how the model spells actions: JARVIS-VLA's tokens, or `text`."""
        url, hash_sign, model = address.partition("#")
        if not (url.startswith(("http://", "https://")) and hash_sign and model):
            raise ValueError(
                f"openai:{address}: expected openai:URL#MODEL, as openai:http://127.0.0.1:8000/v1#my-model"
            )
        try:
            import openai
        except ImportError:
            raise MissingExtraError("llm", "openai:URL#MODEL") from None
        self.url, self.model = url, model
        self._openai = openai
        self.client = openai.OpenAI(base_url=url, api_key=api_key, timeout=timeout, max_retries=0)
        # NOTE: words need no tokenizer of ours, the server has its own
        self.codec = get(codec) if codec != "text" else _Words()
        super().__init__()
        self.temperature, self.history, self.chunk = temperature, history, chunk
        self.width, self.height = width, height
        self.tries, self.pause = max(1, tries), pause
        self.counts: Counter[str] = Counter()  # replies, retries, and each reason of a retry

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures that are sent."""
        return self.width, self.height

    def begin(self, goal: Goal | None, seed: int) -> _Row:
        """What is remembered of an episode."""
        return _Row("play" if goal is None else goal.text, seed, earlier=deque(maxlen=self.history))

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row. Raises ServerError when the server gives no usable reply."""
        self.check(observations)
        states = [row for row in self._rows if row is not None]
        assert len(states) == len(self._rows)
        asked = [number for number, state in enumerate(states) if not state.pending]
        if len(asked) == 1:
            self._fill(states[asked[0]], observations[asked[0]])
        elif asked:
            with ThreadPoolExecutor(min(32, len(asked))) as pool:
                list(pool.map(lambda number: self._fill(states[number], observations[number]), asked))
        actions = []
        for state in states:
            action = state.pending.popleft()
            self.counts["frozen"] += state.streak.update(is_null(action))
            actions.append(action)
        return actions

    def report(self) -> dict[str, int]:
        """Replies, retries with their reasons, and ticks spent frozen, since the beginning."""
        return dict(self.counts)

    def _fill(self, state: _Row, observation: Observation) -> None:
        picture = data_url(fitted(observation.pov, self.width, self.height))
        messages = self._messages(state, picture)
        problem = ""
        for attempt in range(self.tries):
            if attempt:
                self.counts["retries"] += 1
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                text = self._reply(messages, stream_seed(state.seed, "reply", state.asked, attempt) % 2**31)
                actions = self._actions(text)
            except (self._openai.NotFoundError, self._openai.AuthenticationError) as error:
                self.counts["refused"] += 1
                raise ServerError(f"{self.url}: {error}; asked for model {self.model!r}") from error
            except self._openai.APITimeoutError:
                problem = self._note("timeout", f"no answer within {self.client.timeout:g} s")
            except self._openai.APIStatusError as error:
                problem = self._note(f"status {error.status_code}", f"HTTP {error.status_code}")
            except self._openai.APIError as error:
                problem = self._note("unreachable", f"{type(error).__name__}: {error}")
            except ActionError as error:
                problem = self._note("no action", str(error))
            else:
                self.counts["replies"] += 1
                state.asked += 1
                state.pending.extend(actions)
                state.earlier.append((picture, text))
                return
        raise ServerError(f"{self.url}: no usable reply in {self.tries} tries, at last: {problem}")

    def _note(self, reason: str, problem: str) -> str:
        self.counts[reason] += 1
        return problem

    def _reply(self, messages: list[dict[str, Any]], seed: int) -> str:
        words = isinstance(self.codec, _Words)
        more = {} if words else {"skip_special_tokens": False, "include_stop_str_in_output": True}
        stop = "\n" if words and self.chunk == 1 else END if self.chunk == 1 and not words else None
        answer = self.client.chat.completions.create(
            model=self.model,
            messages=messages,  # type: ignore[arg-type]
            max_tokens=(LINE_TOKENS if words else TOKENS_EACH) * self.chunk,
            temperature=self.temperature,
            seed=seed,
            stop=stop,
            extra_body=more,
        )
        choice = answer.choices[0] if answer.choices else None
        text = (choice.message.content if choice else None) or ""
        if stop == END and choice is not None and choice.finish_reason == "stop" and text and END not in text:
            text += END  # a server that leaves the stop string out
        return text

    def _actions(self, text: str) -> list[Action]:
        if isinstance(self.codec, _Words):
            found = self.codec.read(text)
        else:
            codec: GroupCodec = self.codec
            # the strings of the tokens are all there is to know, whatever ids the server's tokenizer has
            found = codec.decode([_ID + int(number) for number in _RESERVED.findall(text)], strict=True)
        return [Action.from_env(action) for action in found[: self.chunk]]

    def _messages(self, state: _Row, picture: str) -> list[dict[str, Any]]:
        if self.history and not state.earlier:
            # as JARVIS-VLA begins: the first picture, doing nothing
            null = _Words().write({}) if isinstance(self.codec, _Words) else "".join(
                f"<|reserved_special_token_{token - _ID}|>" for token in self.codec.null_ids
            )  # fmt: skip
            state.earlier.extend([(picture, null)] * self.history)
        turns: list[dict[str, Any]] = []
        for number, (shown, reply) in enumerate([*state.earlier, (picture, None)]):
            text = f"{state.instruction if number == 0 else ''}\nobservation: \n"
            content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": shown}}]
            turns.append({"role": "user", "content": content})
            if reply is not None:
                turns.append({"role": "assistant", "content": f"{reply}\n"})
        return turns


class _Words(TextCodec):
    """The text codec where the server does the tokenizing."""

    def __init__(self) -> None:
        pass


_ID = get("jarvisvla-v1").begin - 178  # of reserved token 0
