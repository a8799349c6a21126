"""VPT's `.model` files: pickles that hold a network's arguments, read without pickle.

A pickle is a program for a small stack machine, some of whose instructions import and call things. `read_model_file`
runs those that build numbers, strings, lists, tuples and dicts. The three classes that the released files name become
inert records, calls of them included, and everything else is refused: nothing is imported and nothing is called.

    {"version": 1361,
     "model": {"function": "...", "args": {"net": {"function": "...", "args": {kwargs}},
                                           "pi_head_opts": {"temperature": 2}}},
     "extra_args": {"ac_space": DictType, "ob_space": DictType}}
"""

from __future__ import annotations

import os
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from jarvis.core.errors import nearest_names
from jarvis.vpt.config import ModelFileError

__all__ = ["ModelFile", "Record", "local_path", "open_file", "read_model_file", "read_pickle_data"]

SIZE_LIMIT = 1 << 20  # bytes; the released files have less than 5,000
INERT = frozenset({"gym3.types.DictType", "gym3.types.TensorType", "gym3.types.Discrete"})


@dataclass(frozen=True)
class ModelFile:
    """What a `.model` file says: `kwargs` of the network as it spells them, and the temperature of its heads."""

    kwargs: dict[str, Any]
    temperature: float
    function: str  # the factory and the network that the file names, never imported
    net_function: str
    version: int | None


@dataclass(eq=False)
class Record:
    """An instance of one of the inert classes: its name, constructor arguments and state, as plain data."""

    name: str
    args: tuple[Any, ...] = ()
    state: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class _Class:
    name: str


_MARK = object()


def read_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Reads a `.model` file. Raises ModelFileError, naming the file and what in it is wrong or refused."""
    path = local_path(path)
    with open_file(path) as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise ModelFileError(f"{path}: more than {SIZE_LIMIT:,} bytes, a .model file has a few thousand")
    content = read_pickle_data(data, str(path))

    def inside(container: Any, *keys: str) -> Any:
        for depth, key in enumerate(keys):
            if not isinstance(container, dict) or key not in container:
                raise ModelFileError(f"{path}: no {'.'.join(keys[: depth + 1])}; this is no VPT .model file")
            container = container[key]
        return container

    kwargs = inside(content, "model", "args", "net", "args")
    temperature = inside(content, "model", "args", "pi_head_opts", "temperature")
    if not isinstance(kwargs, dict):
        raise ModelFileError(f"{path}: model.args.net.args is a {type(kwargs).__name__}, expected the network's kwargs")
    if type(temperature) not in (int, float):
        raise ModelFileError(f"{path}: the temperature is a {type(temperature).__name__}, expected a number")
    version = content.get("version")
    return ModelFile(
        kwargs=kwargs,
        temperature=float(temperature),
        function=str(content["model"].get("function", "")),
        net_function=str(content["model"]["args"]["net"].get("function", "")),
        version=version if type(version) is int else None,
    )


def local_path(path: str | os.PathLike[str]) -> Path:
    """The path, if it is one. Raises ModelFileError for a URL: nothing here opens a connection."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise ModelFileError(f"{text!r}: expected a path as text")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:", text):
        raise ModelFileError(f"{text}: is a URL, expected a local file; download it first and pass its path")
    return Path(text)


def open_file(path: Path) -> BinaryIO:
    """The file open for reading. Raises ModelFileError, with the names beside it, if there is none."""
    if not path.exists():
        siblings = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
        near = nearest_names(path.name, siblings)
        raise ModelFileError(f"{path}: no such file" + (f"; beside it are {', '.join(near)}" if near else ""))
    if not path.is_file():
        raise ModelFileError(f"{path}: is no ordinary file")
    return open(path, "rb")


def read_pickle_data(data: bytes, place: str) -> Any:
    """The plain data in a pickle, with Records for the inert classes.

    Raises ModelFileError, opening with `place`, for anything else in it; a refused class or function is named.
    """
    machine = _Machine(place)
    try:
        for opcode, argument, _ in pickletools.genops(data):  # ends with the instruction STOP, or raises
            if opcode.name != "STOP":
                machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{place}: damaged pickle: {type(error).__name__}: {str(error)[:200]}") from None


class _Machine:
    """The stack machine. Each instruction works on the stack, at whose marks lists begin, and the memo."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ModelFileError(f"{self.place}: refuses the pickle instruction {name}")

    def result(self) -> Any:
        if len(self.stack) != 1:
            raise ValueError(f"{len(self.stack)} values at its end")
        return self.pop()

    def pop(self, kind: type = object) -> Any:
        value = self.stack.pop()
        if value is _MARK or not isinstance(value, kind):
            raise ValueError(f"a {type(value).__name__} where a {kind.__name__} belongs")
        return value

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"a {type(self.stack[-1]).__name__} where a {kind.__name__} belongs")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count or any(item is _MARK for item in items):
            raise ValueError("too few items for a tuple")
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def append(self, _: Any) -> None:
        value = self.pop()
        self.top(list).append(value)

    def appends(self, _: Any) -> None:
        items = self.pop_to_mark()
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        table = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # NOTE: hashing a deeply nested tuple would exhaust the C stack.
            if type(key) not in (str, int, bool, type(None)):
                raise ValueError(f"a {type(key).__name__} as the key of a dict")
            table[key] = value

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def new_dict(self, _: Any) -> None:
        items = self.pop_to_mark()
        self.stack.append({})
        self.set_items(items)

    def inert_class(self, dotted: str) -> _Class:
        if dotted not in INERT:
            raise ModelFileError(
                f"{self.place}: refuses the pickle global {dotted!r}; a VPT .model file needs only "
                f"{', '.join(sorted(INERT))}. Nothing of it was imported or run."
            )
        return _Class(dotted)

    def push_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self.inert_class(f"{module}.{name}"))

    def push_stack_global(self, _: Any) -> None:
        name, module = self.pop(str), self.pop(str)
        self.stack.append(self.inert_class(f"{module}.{name}"))

    def call(self, _: Any) -> None:
        args, called = self.pop(tuple), self.pop(_Class)
        self.stack.append(Record(called.name, args))

    def new_with_keywords(self, _: Any) -> None:
        keywords, args, called = self.pop(dict), self.pop(tuple), self.pop(_Class)
        self.stack.append(Record(called.name, args, [keywords]))

    def old_object(self, _: Any) -> None:
        called, *args = self.pop_to_mark()
        if not isinstance(called, _Class):
            raise ValueError(f"a {type(called).__name__} where a class belongs")
        self.stack.append(Record(called.name, tuple(args)))

    def old_instance(self, argument: str) -> None:
        args = self.pop_to_mark()
        self.push_global(argument)
        self.stack.append(Record(self.pop(_Class).name, tuple(args)))

    def build(self, _: Any) -> None:
        state = self.pop()
        self.top(Record).state.append(state)


_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MEMOIZE": _Machine.memoize,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.stack.append(machine.pop_to_mark()),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "DICT": _Machine.new_dict,
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "GLOBAL": _Machine.push_global,
    "STACK_GLOBAL": _Machine.push_stack_global,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "OBJ": _Machine.old_object,
    "INST": _Machine.old_instance,
    "BUILD": _Machine.build,
}
