"""Names for segments, in hindsight: from what happened in them, and if that says nothing, from a model that looks.

    named = name_by_events(segments, clip.events)              # "mine oak_log", "craft stick", None
    named = name_by_vision(named, clip, VisionNamer("http://localhost:8000/v1", "Qwen2.5-VL-7B", "cache/names"))

A segment is named after the last thing that was killed or made in it, since skills end with what they are for; else
after what was most often mined, used or picked up. The vision model speaks the OpenAI protocol, sees six frames of a
segment, and is asked only once for each: its answers are files.

    CACHE/3f/3f...a2.json    {"model", "prompt", "answer"}, by the digest of frames, prompt and model
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.errors import FormatError, JarvisError, MissingExtraError
from jarvis.core.events import Event
from jarvis.core.files import Pathlike, read_json, write_json
from jarvis.core.segments import Segment

if TYPE_CHECKING:
    from skill_discovery.clips import PlayClip

__all__ = ["VisionNamer", "name_by_events", "name_by_vision"]

# What an event is called, the most telling first: crafting says more than the click that it took.
VERBS = {"kill_entity": "kill", "craft_item": "craft", "mine_block": "mine", "use_item": "use", "pickup": "collect"}
TOOLS = re.compile(r"_(pickaxe|axe|shovel|sword|hoe)$")
PROMPT = (
    "These are frames of a few seconds of Minecraft, in order. Answer with what the player is doing in two to four "
    "lower-case words, a verb and its object, such as: mine oak log, craft stick, kill cow, walk to trees."
)
FRAMES = 6
LONGEST_NAME = 48


def name_by_events(segments: Sequence[Segment], events: Iterable[Event], grace: int = 3) -> list[Segment]:
    """The segments with the names that their events give; those without a telling event stay as they are.

    grace: ticks after a segment in which an event still counts as its end, if it has none of its own.
    """
    events = list(events)
    named = []
    for segment in segments:
        own = [event for event in events if segment.start <= event.tick < segment.stop]
        late = [event for event in events if segment.stop <= event.tick < segment.stop + grace]
        name = _name_of(own) or _name_of(late)
        named.append(replace(segment, skill=name) if name else segment)
    return named


def _name_of(events: Sequence[Event]) -> str | None:
    telling = [event for event in events if event.name in VERBS and not _is_wear(event)]
    if not telling:
        return None
    kind = next(name for name in VERBS if any(event.name == name for event in telling))
    best = [event for event in telling if event.name == kind]
    if kind not in ("kill_entity", "craft_item"):
        counts = Counter[str]()
        for event in best:
            counts[event.item] += event.count
        best = [event for event in best if counts[event.item] == max(counts.values())]
    return f"{VERBS[kind]} {best[-1].item}"


def _is_wear(event: Event) -> bool:
    """Tools are used with every block that they break: that says nothing of its own."""
    return event.name == "use_item" and TOOLS.search(event.item) is not None


# by looking


class VisionNamer:
    """Asks a vision-language model behind an OpenAI-compatible address, and remembers its answers on disk."""

    def __init__(self, url: str, model: str, cache: Pathlike, *, key: str = "none", client: Any = None) -> None:
        """client: an `openai.OpenAI`; by default one for the url. MissingExtraError if openai is not installed."""
        self.model, self.cache, self._url, self._key, self._client = model, Path(cache), url, key, client

    def name(self, frames: np.ndarray) -> str | None:
        """What is done in (n, height, width, 3) uint8 frames; None if the model's answer is no name."""
        pictures = [_png(frame) for frame in frames]
        told = hashlib.sha256(f"{self.model}\0{PROMPT}\0".encode())
        for picture in pictures:
            told.update(picture)
        path = self.cache / told.hexdigest()[:2] / f"{told.hexdigest()}.json"
        if path.is_file():
            kept = read_json(path)
            if not isinstance(kept, dict) or "answer" not in kept:
                raise FormatError(f"{path}: no answer in it; remove it to ask again")
            return clean_name(kept["answer"])
        answer = self._ask(pictures)
        write_json(path, {"model": self.model, "prompt": PROMPT, "answer": answer})
        return clean_name(answer)

    def _ask(self, pictures: Sequence[bytes]) -> str:
        content: list[dict[str, Any]] = [{"type": "text", "text": PROMPT}]
        for picture in pictures:
            url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        try:
            reply = self._connected().chat.completions.create(
                model=self.model, messages=[{"role": "user", "content": content}], temperature=0, max_tokens=32
            )
        except MissingExtraError:
            raise
        except Exception as error:  # the client's own errors share no base with anything else
            raise JarvisError(f"{self._url}: {type(error).__name__}: {error}; segments named so far are kept") from None
        return reply.choices[0].message.content or ""

    def _connected(self) -> Any:
        if self._client is None:
            try:
                from openai import OpenAI
            except ImportError:
                raise MissingExtraError("llm", "naming by a vision model") from None
            self._client = OpenAI(base_url=self._url, api_key=self._key, timeout=60, max_retries=2)
        return self._client


def clean_name(answer: str) -> str | None:
    """An answer as a name: its first line in lower case, bare of quotes and stops; None for anything long or empty."""
    lines = [line.strip(" \t\"'`.*-") for line in str(answer).splitlines()]
    name = " ".join(next((line for line in lines if line), "").casefold().split())
    return name if name and len(name) <= LONGEST_NAME and re.fullmatch(r"[a-z0-9_' -]+", name) else None


def name_by_vision(
    segments: Sequence[Segment], clip: PlayClip, namer: VisionNamer, *, size: int = 224, all_of_them: bool = False
) -> list[Segment]:
    """Names the segments that have none, or all of them, by six frames of each."""
    named = []
    for segment in segments:
        if isinstance(segment.skill, str) and not all_of_them:
            named.append(segment)
            continue
        places = np.unique(np.linspace(segment.start, segment.stop - 1, FRAMES).round().astype(int))
        frames = np.concatenate([next(clip.frames(size, tick, tick + 1)) for tick in places.tolist()])
        name = namer.name(frames)
        named.append(replace(segment, skill=name) if name else segment)
    return named


def _png(frame: np.ndarray) -> bytes:
    import cv2

    encoded, data = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert encoded
    return io.BytesIO(data.tobytes()).getvalue()
