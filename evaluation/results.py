"""The folder of one evaluation.

    config.json          everything that was asked for; its hash is in each line
    results.jsonl        one line an episode, in the order in which they ended (below)
    episodes/            000012.mp4, .actions.jsonl, .events.jsonl, and .traceback.txt of what went wrong
    summary.json         rates with intervals, milestones, costs: by task, by group, over all
    eval_info.json       the same in LeRobot's layout, and more
    report.html          one page, nothing else needed
    done                 empty, written last

A line: episode, task, group, suite, split, env, seed, policy, instruction, success, ticks, milestones {name: tick},
aborted (null, or why), total_reward, best_reward, video, actions, events (paths from the folder, or null), usage
{prompt_tokens, completion_tokens, gpu_seconds, policy_seconds, environment_seconds}, seconds, versions,
config_hash.

An unfinished folder is carried on where it stopped; a last line that was cut is played again.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evaluation.rollouts import Played
from jarvis.core.errors import FormatError
from jarvis.core.files import DONE, append_json_line, atomic_write, is_done, read_json, read_json_lines, write_json

__all__ = ["ResultsFolder", "config_hash", "load_results", "versions"]

RESULTS, CONFIG, EPISODES = "results.jsonl", "config.json", "episodes"
_OURS = (RESULTS, CONFIG, DONE, "summary.json", "eval_info.json", "report.html", "judgements.jsonl", ".*.tmp*")


def config_hash(config: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what was asked for, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """What a result depends on: this package, Python, and the packages that draw and count."""
    import jarvis

    found = {"jarvis": jarvis.__version__, "python": platform.python_version()}
    for package in ("numpy", "numba", "torch", "av"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


class ResultsFolder:
    """Where an evaluation goes. FileExistsError if the folder is finished, or holds another run or anything else.

    folder = ResultsFolder("runs/first", config)
    for played in play([e for e in episodes if e.number not in folder.lines], ...):
        folder.record(played, facts)
    folder.finish()
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any], overwrite: bool = False) -> None:
        self.path = Path(path)
        self.config = dict(config)
        self.config_hash = config_hash(config)
        self.lines: dict[int, dict[str, Any]] = {}  # by episode
        self._versions = versions()
        self.path.mkdir(parents=True, exist_ok=True)
        if overwrite:
            self._clear()
        elif is_done(self.path):
            raise FileExistsError(f"{self.path} is already finished; choose another folder, or overwrite it")
        elif any(self.path.iterdir()):
            self._carry_on()
        self.episodes.mkdir(exist_ok=True)
        write_json(self.path / CONFIG, self.config)

    @property
    def episodes(self) -> Path:
        """Where the episodes' files lie."""
        return self.path / EPISODES

    def _clear(self) -> None:
        """Removes what an evaluation writes, and nothing else; `done` first."""
        for folder, patterns in ((self.path, (DONE, *_OURS)), (self.episodes, ("[0-9]*.*", ".[0-9]*.tmp*"))):
            for pattern in patterns:
                for path in folder.glob(pattern):
                    path.unlink()

    def _carry_on(self) -> None:
        config = self.path / CONFIG
        if not config.is_file():
            raise FileExistsError(f"{self.path} is not empty; choose another folder, or overwrite it")
        if config_hash(read_json(config)) != self.config_hash:
            raise FileExistsError(f"{self.path} holds another, unfinished run; choose another folder, or overwrite it")
        results = self.path / RESULTS
        if results.is_file():
            self.lines = {line["episode"]: line for line in read_json_lines(results)}
        for path in self.episodes.glob(".[0-9]*.tmp*"):  # of the episode that was under way
            path.unlink()

    def record(self, played: Played, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Appends the episode's line to results.jsonl and returns it."""
        episode = played.episode
        usage = {name: round(value, 4) for name, value in asdict(played.usage).items()}
        files = {kind: f"{EPISODES}/{name}" if name else None for kind, name in played.files.items()}
        line = {
            "episode": episode.number,
            "task": episode.task.name,
            **facts,
            "seed": episode.seed,
            "instruction": episode.instruction,
            "success": played.success,
            "ticks": played.ticks,
            "milestones": played.milestones,
            "aborted": played.aborted,
            "total_reward": played.total_reward,
            "best_reward": played.best_reward,
            **{kind: files.get(kind) for kind in ("video", "actions", "events")},
            "usage": usage,
            "seconds": round(played.seconds, 3),
            "versions": self._versions,
            "config_hash": self.config_hash,
        }
        append_json_line(self.path / RESULTS, line)
        self.lines[episode.number] = line
        return line

    def finish(self) -> None:
        """Marks the folder as finished."""
        atomic_write(self.path / DONE, b"")


def load_results(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(config, lines in the order of the episodes) of an evaluation's folder, finished or not.

    FileNotFoundError for a folder without results, FormatError for lines of another run among them.
    """
    path = Path(path)
    if not (path / RESULTS).is_file():
        raise FileNotFoundError(f"{path}: no {RESULTS} there; make it with: jarvis evaluate --out {path}")
    config = read_json(path / CONFIG)
    expected = config_hash(config)
    lines: dict[int, dict[str, Any]] = {}
    read = read_json_lines(path / RESULTS)
    for number, line in zip(read.numbers, read, strict=True):
        if not isinstance(line, dict) or not {"episode", "task", "seed", "success", "ticks", "aborted"} <= set(line):
            raise FormatError(f"{path / RESULTS}: line {number}: not the result of an episode")
        if line.get("config_hash") != expected:
            raise FormatError(f"{path / RESULTS}: line {number}: of another run than {CONFIG}")
        lines[line["episode"]] = line
    return config, [lines[number] for number in sorted(lines)]
