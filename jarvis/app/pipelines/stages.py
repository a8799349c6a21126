"""What a stage of a pipeline is, and the kinds there are.

A kind is a frozen dataclass of its settings, with a method that does the work through the function behind a command:

    @dataclass(frozen=True)
    class Label(Stage):
        inputs = {"videos": PATH, "idm": SPEC}      # fields that may name an earlier stage
        videos: tuple[str, ...] = ()
        idm: str = "default"

        def run(self, work: Work) -> Result: ...

What it makes goes into `work.folder`, which may hold what an interrupted attempt left; a kind goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.segments import Segment

__all__ = ["KINDS", "PATH", "SPEC", "Result", "Show", "Stage", "Work", "kind_of"]

PATH, SPEC = "path", "spec"  # of an input: files, or the name of a model or a player

KINDS = {
    "download": "jarvis.app.pipelines.play:Download",
    "record": "jarvis.app.pipelines.play:Record",
    "import": "jarvis.app.pipelines.play:Import",
    "label": "jarvis.app.pipelines.play:Label",
    "name": "jarvis.app.pipelines.play:Name",
    "export": "jarvis.app.pipelines.play:Export",
    "train-idm": "jarvis.app.pipelines.models:TrainIDM",
    "train-foundation": "jarvis.app.pipelines.models:TrainFoundation",
    "segment": "jarvis.app.pipelines.models:Cut",
    "samples": "jarvis.app.pipelines.models:MakeSamples",
    "post-train": "jarvis.app.pipelines.models:PostTrain",
    "measure": "jarvis.app.pipelines.judging:Measure",
    "evaluate": "jarvis.app.pipelines.judging:Evaluate",
    "compare": "jarvis.app.pipelines.judging:Compare",
    "learn": "jarvis.app.pipelines.judging:Learn",
}


@dataclass(frozen=True)
class Work:
    """Where and how a stage works."""

    folder: Path  # for what it makes
    older: tuple[Path, ...] = ()  # such folders of the same stage that differ in the input that `grows`, newest first
    retry: bool = False  # also what was put aside before
    names: Mapping[str, str] = field(default_factory=dict)  # path of what an earlier stage made -> the stage's name
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, eq=False)
class Show:
    """A piece of video to look at, n ticks, with what was done in it."""

    title: str
    video: Path
    frames: np.ndarray  # (n,) numbers of frames
    buttons: np.ndarray  # (n, 23)
    camera: np.ndarray  # (n, 2) degrees
    segments: tuple[Segment, ...] = ()  # of these n ticks, from 0
    note: str = ""


@dataclass
class Result:
    """What a stage did, for people and for the stages after it."""

    took: str  # what went in, in words
    made: str  # what came out
    facts: dict[str, Any] = field(default_factory=dict)  # numbers, as JSON
    aside: dict[str, str] = field(default_factory=dict)  # what could not be done -> why
    output: str = ""  # below the folder: what later stages get; empty: the folder
    charts: list[dict[str, Any]] = field(default_factory=list)  # see page.py
    shows: list[Show] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)  # words -> file below the folder


@dataclass(frozen=True)
class Stage:
    """Settings of one stage. Subclasses add theirs."""

    version: ClassVar[int] = 1  # raised when the same inputs and settings would give something else
    inputs: ClassVar[Mapping[str, str]] = {}  # field -> PATH or SPEC
    optional: ClassVar[tuple[str, ...]] = ()  # inputs that need not be given
    made: ClassVar[tuple[str, ...]] = ("**/*",)  # patterns of the files that later stages see
    grows: ClassVar[str] = (
        ""  # the input whose earlier contents may serve: what was made of the same parts is taken over
    )
    refers: ClassVar[bool] = False  # what it makes names the paths of its inputs
    free: ClassVar[tuple[str, ...]] = ("workers", "rows", "device", "connections")  # change the way, not the outcome

    seed: int = 0

    def check(self) -> None:
        """Raises for settings that cannot be, before anything is done."""

    def run(self, work: Work) -> Result:
        """Does the work, or what is left of it."""
        raise NotImplementedError


def kind_of(name: object, place: str = "") -> type[Stage]:
    """The kind of that name. UnknownNameError with the nearest ones."""
    if not isinstance(name, str) or name not in KINDS:
        raise UnknownNameError("kind of stage", name, nearest_names(name, KINDS) or tuple(KINDS), place)
    module, _, attribute = KINDS[name].partition(":")
    kind: type[Stage] = getattr(import_module(module), attribute)
    return kind
