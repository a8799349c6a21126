"""From whatever a language model answers to checked items. Never raises for a bad answer, never takes an unknown key.

    reading = read_items(text, check)        # check(item) returns the item's value or raises ValueError
    reading.items, reading.errors, reading.repairs

The rungs of the ladder, each counted in `repairs` when it was needed: (1) the server was held to a schema (llm.py);
(2) the JSON is looked for: whole, in fences, bare in prose, cut off; (3) what is not quite JSON is mended outside of
strings: comments, trailing commas, Python's words and quotes; (4) each item is checked alone, so that one bad item
costs only itself; (5) a second answer is asked for with the exact errors; (6) what is missing then is made offline. The
last two belong to the proposers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.errors import FormatError, JarvisError
from jarvis.core.files import parse_json

__all__ = ["Reading", "find_values", "mend", "read_items"]

LONGEST = 1 << 17  # characters of an answer that are read at all
MOST_ITEMS = 32  # of one answer
ERROR_LENGTH = 200

_FENCE = re.compile(r"(?:```|~~~)[ \t]*[A-Za-z0-9_+-]*[ \t]*\n?(.*?)(?:```|~~~|\Z)", re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}
_WORDS = {"True": "true", "False": "false", "None": "null", "undefined": "null"}
_OPEN_QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "„": "“", "‘": "’", "`": "`"}


@dataclass
class Reading:
    """What an answer held."""

    items: list[Any] = field(default_factory=list)  # as `check` returned them
    errors: list[str] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)  # which rungs were needed, how often


def read_items(text: str, check: Callable[[Any], Any], most: int = MOST_ITEMS) -> Reading:
    """Every item of the answer that `check` lets pass; the errors of the others."""
    reading = Reading()
    values = find_values(text, reading)
    items: list[Any] = []
    for value in values:
        items.extend(_listed(value, reading))
    if len(items) > most:
        reading.errors.append(f"{len(items)} items, of which only the first {most} are read")
        items = items[:most]
    for number, item in enumerate(items):
        try:
            if not isinstance(item, dict):
                raise FormatError(f"expected an object, got {item!r:.80}")
            reading.items.append(check(item))
        except (JarvisError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            reading.errors.append(f"item {number}: {str(error) or type(error).__name__}"[:ERROR_LENGTH])
            reading.repairs["dropped item"] += 1
    if not items and not reading.errors:
        reading.errors.append("no JSON in the answer")
    return reading


def _listed(value: Any, reading: Reading) -> list[Any]:
    """The items of a value: a list, an object that holds one list, or one item."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), list):
        value = next(iter(value.values()))
    if isinstance(value, list):
        flat: list[Any] = []
        for item in value:
            if isinstance(item, list):
                reading.repairs["nested list"] += 1
                flat.extend(item)
            else:
                flat.append(item)
        return flat
    return [value]


def find_values(text: str, reading: Reading) -> list[Any]:
    """The JSON values of an answer, mended where they need it."""
    if len(text) > LONGEST:
        reading.repairs["too long"] += 1
        text = text[:LONGEST]
    if text.startswith("\ufeff"):
        reading.repairs["byte order mark"] += 1
        text = text[1:]
    text = text.replace("\r\n", "\n")
    try:
        return [parse_json(text)]
    except FormatError:
        pass
    blocks = [block.strip() for block in _FENCE.findall(text)]
    blocks = [block for block in blocks if block[:1] in _CLOSING]
    if blocks:
        reading.repairs["fence"] += 1
        if len(blocks) > 1:
            reading.repairs["several blocks"] += 1
    else:
        blocks = [text]
        if text.strip()[:1] not in _CLOSING:
            reading.repairs["prose"] += 1
    return [value for block in blocks for value in _values_of(block, reading)]


def _values_of(text: str, reading: Reading) -> list[Any]:
    mended = mend(text, reading.repairs)
    values: list[Any] = []
    place = 0
    while (place := _next_opening(mended, place)) < len(mended):
        end = _end_of(mended, place)
        if end is None:
            reading.repairs["cut off"] += 1
            reading.errors.append("the answer is cut off")
            values.extend(_whole_items(mended, place))
            break
        try:
            values.append(parse_json(mended[place:end]))
        except FormatError as error:
            reading.errors.append(str(error)[:ERROR_LENGTH])
        place = end
    if len(values) > 1:
        reading.repairs["several values"] += 1
    return values


def _next_opening(text: str, place: int) -> int:
    found = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
    return min(found, default=len(text))


def _end_of(text: str, start: int) -> int | None:
    """Behind the bracket that closes the one at `start`; None if it is never closed, or closed by the wrong one."""
    open_brackets: list[str] = []
    inside = escaped = False
    for at in range(start, len(text)):
        character = text[at]
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "{[":
            open_brackets.append(_CLOSING[character])
        elif character in "}]":
            if open_brackets.pop() != character:
                return None
            if not open_brackets:
                return at + 1
    return None


def _whole_items(text: str, start: int) -> list[Any]:
    """The complete items of a list that is cut off, be it alone or the only value of an object. Nothing deeper."""
    if text[start] == "{":
        opening = re.compile(r'\{\s*"[^"\\]*"\s*:\s*\[').match(text, start)
        if opening is None:
            return []
        start = opening.end() - 1
    items: list[Any] = []
    place = start + 1
    while (place := _next_opening(text, place)) < len(text) and (end := _end_of(text, place)) is not None:
        try:
            items.append(parse_json(text[place:end]))
        except FormatError:
            break
        place = end
    return items


def mend(text: str, repairs: Counter[str]) -> str:
    """Comments and trailing commas gone, Python's words and quotes made JSON's. Strings keep what they hold."""
    pieces: list[str] = []
    at, depth = 0, 0
    while at < len(text):
        character = text[at]
        if character in "{[":
            depth += 1
        elif character in "}]":
            depth = max(0, depth - 1)
            if pieces and (stripped := "".join(pieces[-2:]).rstrip()).endswith(","):
                repairs["trailing comma"] += 1
                pieces[-2:] = [stripped[:-1]]
        if depth == 0:  # prose between values is left as it is
            pieces.append(character)
            at += 1
        elif character in _OPEN_QUOTES:
            string, at = _string(text, at, repairs)
            pieces.append(string)
        elif text.startswith("//", at) or character == "#":
            repairs["comment"] += 1
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif text.startswith("/*", at):
            repairs["comment"] += 1
            end = text.find("*/", at + 2)
            at = len(text) if end < 0 else end + 2
        elif character.isalpha():
            word = re.compile(r"\w+").match(text, at)
            assert word is not None
            if word.group() in _WORDS:
                repairs["python words"] += 1
            pieces.append(_WORDS.get(word.group(), word.group()))
            at = word.end()
        elif character.isspace() and pieces and pieces[-1].isspace():
            at += 1  # runs of white space would hide a trailing comma
        else:
            pieces.append(character)
            at += 1
    return "".join(pieces)


def _string(text: str, at: int, repairs: Counter[str]) -> tuple[str, int]:
    """The string that begins here, with JSON's quotes, and where it ends."""
    opening = text[at]
    closing = _OPEN_QUOTES[opening]
    kept: list[str] = []
    place = at + 1
    while place < len(text) and text[place] != closing:
        if text[place] == "\\" and place + 1 < len(text):
            pair = text[place : place + 2]
            kept.append(pair[1] if pair[1] == "'" else pair)
            place += 2
            continue
        if opening != '"' and text[place] == '"':
            kept.append('\\"')
        elif text[place] in "\n\t":
            repairs["raw control"] += 1
            kept.append({"\n": "\\n", "\t": "\\t"}[text[place]])
        else:
            kept.append(text[place])
        place += 1
    if place >= len(text):  # never closed: leave it open, so that the value counts as cut off
        return f'"{"".join(kept)}', len(text)
    if opening != '"':
        repairs["quotes"] += 1
    return f'"{"".join(kept)}"', place + 1
