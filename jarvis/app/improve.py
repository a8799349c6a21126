"""The whole circle as a pipeline: label, segment, make samples, post-train, evaluate, learn. What `jarvis run` does.

    outcome = improve(read_plan("quickstart", {"episodes": 8}), "runs/quickstart", say=print)
    outcome.folders["agent"], outcome.facts["judge"]["successes"]

    RUN/page.html                              stages, time, data in and out, charts, sample videos; live while it runs
    RUN/run.json                               what was asked for, and how every stage stands
    RUN/stages/labels-3fa21c0b12/about.json    what this stage works on: written when it begins
    RUN/stages/labels-3fa21c0b12/stage.json    how it went, with the digest of what it made: written last
    RUN/stages/labels-3fa21c0b12/data/         what it made; log.txt and samples/ beside it
    RUN/done                                   empty, written last

A stage is known by its kind, its settings and the digest of what its inputs hold. If there is a finished one like that
and its files are as they were, nothing is done; what was changed or damaged is put away and made again. What was cut
short goes on in its folder, so a run may be killed at any moment and started again. Other settings get folders of their
own: going back to earlier ones costs nothing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from data_pipelines.datasets import Dataset
from jarvis.app.pipelines.contents import Contents, contents, digest_of
from jarvis.app.pipelines.looks import film
from jarvis.app.pipelines.page import write_run_page
from jarvis.app.pipelines.plan import Plan, Step, resolved
from jarvis.app.pipelines.stages import PATH, Result, Stage, Work
from jarvis.core.errors import FormatError, JarvisError, UnknownNameError, nearest_names
from jarvis.core.files import DONE, Pathlike, atomic_write, read_json, write_json

__all__ = ["Outcome", "StageError", "improve", "tidy"]

FORMAT_VERSION = 1
PAGE_SECONDS = 10.0  # between two looks of the page while a stage runs


class StageError(JarvisError, RuntimeError):
    """A stage that failed, with the stage's name."""


@dataclass
class Outcome:
    """What came of a run."""

    folder: Path
    folders: dict[str, Path] = field(default_factory=dict)  # stage -> what it made
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage -> its numbers
    ran: list[str] = field(default_factory=list)  # stages that had something to do
    kept: list[str] = field(default_factory=list)  # stages that were done already
    aside: dict[str, dict[str, str]] = field(default_factory=dict)  # stage -> what could not be done -> why
    seconds: float = 0.0


def improve(
    plan: Plan,
    out: Pathlike,
    *,
    until: str | None = None,
    retry: bool = False,
    say: Callable[[str], None] = lambda line: None,
    tell: Callable[[dict[str, Any]], None] = lambda line: None,
) -> Outcome:
    """Runs what is missing of a plan and returns what there is then.

    until: the last stage. retry: stages that put something aside try it again. tell: gets a line for every stage.
    StageError names the stage that failed; what was done is kept. FileExistsError if the folder holds something else,
    or another program is at work in it.
    """
    names = [step.name for step in plan.steps]
    if until is not None and until not in names:
        raise UnknownNameError("stage", until, nearest_names(until, names) or names, plan.name)
    steps = plan.steps if until is None else plan.steps[: names.index(until) + 1]
    out = Path(out)
    if out.is_dir() and not (out / "run.json").is_file() and any(not one.name.startswith(".") for one in out.iterdir()):
        raise FileExistsError(f"{out} holds something else already; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    with Dataset(out, {}).claim():  # one program at a time, as in datasets
        (out / DONE).unlink(missing_ok=True)
        run = _Run(plan, out, retry, say, tell)
        started = time.monotonic()
        try:
            for step in steps:
                run.stage(step)
        finally:
            run.outcome.seconds = time.monotonic() - started
            run.show(over=True)
        if until is None:
            atomic_write(out / DONE, "")
    return run.outcome


def tidy(out: Pathlike) -> list[str]:
    """Deletes the folders of stages that the last run of this folder did not use; their names."""
    out = Path(out)
    state = read_json(out / "run.json")
    used = {Path(stage["folder"]).name for stage in state["stages"] if stage.get("folder")}
    with Dataset(out, {}).claim():
        gone = sorted(path.name for path in (out / "stages").iterdir() if path.is_dir() and path.name not in used)
        for name in gone:
            shutil.rmtree(out / "stages" / name)
    return gone


class _Run:
    """The state of one run."""

    def __init__(
        self,
        plan: Plan,
        out: Path,
        retry: bool,
        say: Callable[[str], None],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self.plan, self.out, self.retry, self.say, self.tell = plan, out, retry, say, tell
        self.outcome = Outcome(out)
        self.held: dict[str, dict[str, Any]] = {}  # stage -> what it made, as `Contents`
        self.stages: list[dict[str, Any]] = [
            {"name": step.name, "kind": step.kind, "state": "waits", "from": _before(step)} for step in plan.steps
        ]
        self.began = time.time()
        self.shown = 0.0
        self.show()

    def show(self, over: bool = False) -> None:
        """Writes run.json and the page."""
        self.shown = time.monotonic()
        state = {
            "format_version": FORMAT_VERSION, "name": self.plan.name, "about": self.plan.about,
            "parameters": dict(self.plan.parameters), "began": self.began, "now": time.time(), "over": over,
            "stages": self.stages,
        }  # fmt: skip
        write_json(self.out / "run.json", state)
        write_run_page(self.out)

    def stage(self, step: Step) -> None:
        """Runs one stage, unless it is done."""
        place = next(number for number, one in enumerate(self.stages) if one["name"] == step.name)
        stage = resolved(step, self.outcome.folders)
        about = _about(step, stage, self.held)
        folder = self.out / "stages" / f"{step.name}-{about['key'][:10]}"
        told = _finished(folder, about)
        if told is not None and told.get("changed"):
            put_away = _put_away(folder)
            self.say(f"{step.name}: what it made was changed since; put away as {put_away.name} and made again")
            told = None
        line = self.stages[place]
        line |= {"folder": str(folder.relative_to(self.out)), "attempts": 0}
        if told is not None and not (self.retry and told["aside"]):
            line |= {"state": "kept"}
            self.outcome.kept.append(step.name)
            self.say(f"{step.name}: done before: {told['made']}")
        else:
            line |= {"state": "runs", "since": time.time()}
            told = self._work(step, stage, about, folder, line)
            line |= {"state": "done"}
            self.outcome.ran.append(step.name)
            self.say(f"{step.name}: {told['made']}, {told['seconds']:.0f} s")
        data = folder / "data"
        self.outcome.folders[step.name] = data / told["output"] if told["output"] else data
        self.outcome.facts[step.name] = told["facts"]
        self.held[step.name] = told["contents"]
        if told["aside"]:
            self.outcome.aside[step.name] = told["aside"]
            self.say(f"{step.name}: {len(told['aside'])} put aside, such as {_first(told['aside'])}")
        self.show()
        keys = ("took", "made", "seconds", "facts", "aside")
        self.tell(
            {"stage": step.name, "kind": step.kind, "state": line["state"]}
            | {"folder": str(self.outcome.folders[step.name])}
            | {key: told[key] for key in keys}
        )

    def _work(
        self, step: Step, stage: Stage, about: dict[str, Any], folder: Path, line: dict[str, Any]
    ) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        before = read_json(folder / "about.json") if (folder / "about.json").is_file() else {}
        attempts = int(before.get("attempts", 0)) + 1
        line["attempts"] = attempts
        (folder / "stage.json").unlink(missing_ok=True)
        write_json(folder / "about.json", about | {"attempts": attempts})
        self.say(f"{step.name}: {'goes on' if attempts > 1 else 'begins'}: {step.kind}")
        self.show()
        names = {str(path): name for name, path in self.outcome.folders.items()}
        older = _older(self.out, step, about, folder)
        work = Work(folder / "data", older, self.retry, names, self._listen(step, folder))
        started, cpu, clock = time.monotonic(), _cpu(), time.time()
        try:
            result = stage.run(work)
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            reason = "stopped; the same command goes on" if stopped else str(error) or type(error).__name__
            line |= {"state": "stopped" if stopped else "failed", "reason": reason}
            if isinstance(error, (JarvisError, OSError)) and not isinstance(error, FileNotFoundError):
                raise StageError(f"stage {step.name}: {error}") from error
            raise
        made = contents([work.folder], stage.made)
        told = about | {
            "attempts": attempts, "seconds": round(time.monotonic() - started, 2), "cpu": round(_cpu() - cpu, 2),
            "began": clock, "ended": time.time(), "contents": asdict(made), **_told(result),
            "samples": _films(result, folder / "samples", work.say),
        }  # fmt: skip
        write_json(folder / "stage.json", told)
        return told

    def _listen(self, step: Step, folder: Path) -> Callable[[str], None]:
        def hear(text: str) -> None:
            with open(folder / "log.txt", "a", encoding="utf-8", errors="replace") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {text}\n")
            self.say(f"{step.name}: {text}")
            if time.monotonic() - self.shown > PAGE_SECONDS:
                self.show()

        return hear


def _before(step: Step) -> list[str]:
    return list(dict.fromkeys(name for names in step.sources.values() for name in names))


def _about(step: Step, stage: Stage, held: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What decides whether a stage's work is done: kind, version, settings, and what its inputs hold.

    step.stage: inputs by the names of earlier stages, of which `held` tells what they made; stage: by paths.
    """
    settings = {one.name: _plain(getattr(stage, one.name)) for one in fields(stage) if one.name not in stage.free}
    inputs: dict[str, Any] = {}
    for key, sort in stage.inputs.items():
        named, found = (_listed(getattr(one, key)) for one in (step.stage, stage))
        parts = [
            dict(held[name]) if name in step.sources[key] else _outside(path, sort)
            for name, path in zip(named, found, strict=True)
        ]
        if any(part["digest"] is None for part in parts):  # a model by its name: settings tell it
            parts = []
        told: dict[str, Any] = {
            "digests": [part["digest"] for part in parts],
            "bytes": sum(part["bytes"] for part in parts), "files": sum(part["files"] for part in parts),
            "from": named,
        }  # fmt: skip
        if stage.refers:
            told["paths"] = [str(Path(path).absolute()) for path in found]
        inputs[key] = told
        if parts:
            settings[key] = None  # what it holds counts, and not what it is called
    known = {"kind": step.kind, "version": stage.version, "settings": settings}
    counts = {key: {part: told[part] for part in ("digests", "paths") if part in told} for key, told in inputs.items()}
    fixed = {key: told["digests"] for key, told in inputs.items() if key != stage.grows}
    return {
        "format_version": FORMAT_VERSION, "name": step.name, **known, "family": digest_of(known | {"inputs": fixed}),
        "key": digest_of(known | {"inputs": counts}), "inputs": inputs, "asked": _asked(step.stage),
    }  # fmt: skip


def _listed(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, tuple) else (value,)) if one]


def _outside(path: str, sort: str) -> dict[str, Any]:
    """What is held by an input that no stage made."""
    if sort == PATH or Path(path).exists():
        return asdict(contents([path]))
    if path == "default":
        import idm

        return {"digest": idm.fingerprint(path), "bytes": 0, "files": 0}
    return {"digest": None, "bytes": 0, "files": 0}


def _asked(stage: Stage) -> dict[str, Any]:
    """The settings that differ from their defaults, for people."""
    plain = type(stage)()
    values = {one.name: getattr(stage, one.name) for one in fields(stage)}
    return {name: _plain(value) for name, value in values.items() if value != getattr(plain, name) or name == "seed"}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _finished(folder: Path, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """What stage.json says of a finished stage, with `changed` if its files are not what they were; else None."""
    path = folder / "stage.json"
    try:
        told = read_json(path) if path.is_file() else None
    except FormatError:
        return None
    if not isinstance(told, dict) or told.get("key") != about["key"]:
        return None
    from jarvis.app.pipelines.stages import kind_of

    try:
        now = contents([folder / "data"], kind_of(about["kind"]).made)
    except FileNotFoundError:
        now = Contents("", 0, 0)
    return told if asdict(now) == told.get("contents") else told | {"changed": True}


def _put_away(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.changed-{number}") for number in range(1, 1 << 16))
    away = next(path for path in names if not path.exists())
    (folder / "about.json").unlink(missing_ok=True)  # nothing is taken over from it
    return folder.rename(away)


def _older(out: Path, step: Step, about: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """The data of the same stage, all alike but the input that grows, newest first."""
    found = []
    for path in (out / "stages").glob(f"{step.name}-*/about.json"):
        if path.parent != folder:
            before = read_json(path)
            if before.get("family") == about["family"] and before.get("name") == step.name:
                found.append((path.stat().st_mtime, path.parent / "data"))
    return tuple(data for _, data in sorted(found, reverse=True) if data.is_dir())


def _told(result: Result) -> dict[str, Any]:
    return {
        "took": result.took, "made": result.made, "output": result.output, "aside": result.aside,
        "facts": {name: _finite(value) for name, value in result.facts.items()},
        "charts": result.charts, "links": result.links,
    }  # fmt: skip


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _films(result: Result, folder: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The sample videos; one that cannot be made is no reason to fail."""
    shutil.rmtree(folder, ignore_errors=True)
    made = []
    for number, show in enumerate(result.shows):
        try:
            made.append(film(show, folder / f"{number}.mp4"))
        except FormatError as error:
            say(f"no sample of {show.title}: {error}")
    return made


def _first(aside: Mapping[str, str]) -> str:
    name, reason = next(iter(aside.items()))
    return f"{name}: {reason}" if not reason.startswith(name) else reason


def _cpu() -> float:
    """Seconds of processors, of this process and of those that it waited for."""
    return sum(os.times()[:4])
