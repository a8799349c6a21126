"""A policy judged by a suite, and two policies judged against each other.

    summary = evaluate("atomic", policy, "runs/atomic_random", policy_name="random", rows=8)
    print(summary["overall"]["rate"], summary["overall"]["interval"])
    print(compare("runs/atomic_random", "runs/atomic_scripted")["overall"])

Writes what `evaluation.results` describes. Started again with the same arguments, an interrupted evaluation goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from data_pipelines.engines import Engine
from evaluation.results import ResultsFolder, load_results
from evaluation.rollouts import Played, play
from evaluation.seeds import held_out
from evaluation.statistics import compare_pairs
from evaluation.suites import Episode, Suite, get_suite
from evaluation.summary import eval_info, summarise
from evaluation.tapes import Tape
from jarvis.core.environments import Environment, Policy
from jarvis.core.errors import FormatError
from jarvis.core.files import write_json
from jarvis.core.start_states import check_supported
from jarvis.envs.registry import make

__all__ = ["compare", "evaluate", "finish_report"]


def evaluate(
    suite: str | Suite,
    policy: Policy,
    out: str | Path,
    *,
    policy_name: str,
    split: str = "test",
    tasks: Sequence[str] = (),
    episodes_each: int | None = None,
    env: str | None = None,
    env_options: Mapping[str, Any] | None = None,
    rows: int = 4,
    threads: int | None = None,
    videos: bool = True,
    report: bool = True,
    facts: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    make_env: Callable[[], Environment] | None = None,
    on_episode: Callable[[dict[str, Any]], None] | None = None,
    engine: Engine | None = None,
    make_policy: tuple[Callable[..., Policy], tuple[Any, ...]] | None = None,
) -> dict[str, Any]:
    """Plays a suite and returns its summary.

    policy_name: what the results call it. split: whose worlds; the test seeds are opened here and nowhere else.
    tasks: only these names or groups, or all that begin with what stands before a `*`. episodes_each: of a task,
    the suite's number if None. env: another environment that can honour the suite's starts, with the constructor's
    options. rows: environments at once. facts: more JSON values for config.json, so that another value is another run.
    on_episode: gets each line when it is written. engine: who plays, see `data_pipelines.engines`: `rows` episodes at a
    time, with the policy that `make_policy` (a function and its arguments) makes there; None: this process.

    Raises, before anything is played, for names that are not there, starts that the environment refuses, and a folder
    that holds something else. Ctrl-C leaves the folder so that the same call goes on.
    """
    chosen = get_suite(suite) if isinstance(suite, str) else suite
    if tasks:
        chosen = chosen.part(tuple(tasks))
    each = chosen.episodes_each if episodes_each is None else episodes_each
    if each < 1:
        raise ValueError(f"episodes_each: {each}, expected at least 1")
    env_name, options = env or chosen.env, dict(env_options or {})
    build = make_env or partial(make, env_name, **options)
    with held_out():
        episodes = chosen.episodes(split, each)
    _check(build, chosen)
    config = {
        "suite": chosen.name,
        "digest": chosen.digest,
        "split": split,
        "tasks": {name: chosen.task_digest(name) for name in chosen.tasks},
        "milestones": {name: list(task.milestones) for name, task in chosen.tasks.items() if task.milestones},
        "goalless": [name for name, task in chosen.tasks.items() if task.goal.predicate is None],
        "episodes_each": each,
        "episodes": len(episodes),
        "env": env_name,
        "env_options": options,
        "policy": policy_name,
        **(facts or {}),
    }
    folder = ResultsFolder(out, config, overwrite)

    left = [episode for episode in episodes if episode.number not in folder.lines]
    about = {"suite": chosen.name, "split": split, "env": env_name, "policy": policy_name}
    started = time.perf_counter()
    if engine is None:
        keep = partial(_tape, folder.episodes, videos)
        every: Iterable[Played] = play(left, build, policy, rows=rows, threads=threads, tape=keep)
    else:
        assert make_policy is not None, "an engine needs make_policy"
        shares = [
            _Share(tuple(left[first : first + rows]), build, *make_policy, threads, str(folder.episodes), videos)
            for first in range(0, len(left), rows)
        ]
        every = _played_elsewhere(engine, shares)
    for played in every:
        line = folder.record(played, {"group": chosen.group(played.episode.task.name), **about})
        if on_episode is not None:
            on_episode(line)
    summary = finish_report(folder.path, seconds=time.perf_counter() - started, html=report)
    folder.finish()
    return summary


@dataclass(frozen=True)
class _Share:
    """Episodes that are played at once, somewhere."""

    episodes: tuple[Episode, ...]
    make_env: Callable[[], Environment]
    make_policy: Callable[..., Policy]
    arguments: tuple[Any, ...]
    threads: int | None
    folder: str  # of the tapes
    videos: bool


@cache
def _policy_here(make_policy: Callable[..., Policy], arguments: tuple[Any, ...]) -> Policy:
    return make_policy(*arguments)


def _tape(folder: str | Path, videos: bool, episode: Episode) -> Tape:
    return Tape(Path(folder), f"{episode.number:06d}", video=videos)


def _play_share(share: _Share) -> list[Played]:
    policy = _policy_here(share.make_policy, share.arguments)
    keep = partial(_tape, share.folder, share.videos)
    return list(
        play(share.episodes, share.make_env, policy, rows=len(share.episodes), threads=share.threads, tape=keep)
    )


def _played_elsewhere(engine: Engine, shares: Sequence[_Share]) -> Iterator[Played]:
    for outcome in engine.map(_play_share, shares):
        if outcome.value is not None:
            yield from outcome.value
        else:
            yield from (Played(episode, False, 0, aborted=outcome.reason) for episode in outcome.item.episodes)


def finish_report(path: str | Path, seconds: float | None = None, html: bool = True) -> dict[str, Any]:
    """Writes summary.json, eval_info.json and report.html from what lies in a folder, finished or not; the summary."""
    config, lines = load_results(path)
    summary = summarise(config, lines)
    if seconds is None:
        seconds = sum(line["seconds"] for line in lines)
    write_json(Path(path) / "eval_info.json", eval_info(config, lines, seconds))
    write_json(Path(path) / "summary.json", summary)
    if html:
        from evaluation.reports import write_report

        write_report(path)
    return summary


def _check(build: Callable[[], Environment], suite: Suite) -> None:
    """Raises for what the environment cannot do, before anything is played."""
    env = build()
    try:
        for task in suite.tasks.values():
            check = getattr(env, "check", None)
            if callable(check):
                check(task)
            else:
                check_supported(task.start, env.supported_start_fields, env.name)
    finally:
        env.close()


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """Two evaluations on their common episodes: equal task, equal seed, equal wording.

    Returns {"first", "second", "overall", "per_group", "per_task", "milestones", "left_out"}; each comparison as
    `evaluation.statistics.Comparison.to_json`: the difference is second minus first. left_out counts the episodes that
    have no pair, by reason. Raises FormatError if there is no common episode.
    """
    (config_a, lines_a), (config_b, lines_b) = load_results(first), load_results(second)
    changed = {task for task, digest in config_a["tasks"].items() if config_b["tasks"].get(task, digest) != digest}
    ours = {(line["task"], line["seed"], line["instruction"]): line for line in lines_a if line["task"] not in changed}
    pairs, left_out = [], {"task differs": 0, "only in one": 0, "aborted": 0}
    for line in lines_b:
        other = ours.pop((line["task"], line["seed"], line["instruction"]), None)
        if line["task"] in changed:
            left_out["task differs"] += 1
        elif other is None:
            left_out["only in one"] += 1
        elif line["aborted"] or other["aborted"]:
            left_out["aborted"] += 1
        else:
            pairs.append((other, line))
    left_out["only in one"] += len(ours)
    if not pairs:
        raise FormatError(
            f"{first} and {second} have no episode in common ({_which(config_a)}; {_which(config_b)}): "
            "evaluate both with the same suite, tasks and split"
        )

    def compared(part: Sequence[tuple[Any, Any]], reached: Callable[[Any], bool]) -> dict[str, Any]:
        return compare_pairs([reached(a) for a, _ in part], [reached(b) for _, b in part]).to_json()

    milestones: dict[str, Any] = {}
    for task, names in config_a.get("milestones", {}).items():
        part = [pair for pair in pairs if pair[0]["task"] == task]
        if part:
            milestones[task] = {name: compared(part, partial(_reached, name)) for name in names}
    return {
        "first": {"policy": config_a["policy"], "path": str(first)},
        "second": {"policy": config_b["policy"], "path": str(second)},
        "suite": config_a["suite"],
        "overall": compared(pairs, _succeeded),
        "per_group": {name: compared(part, _succeeded) for name, part in _grouped(pairs, "group").items()},
        "per_task": {name: compared(part, _succeeded) for name, part in _grouped(pairs, "task").items()},
        "milestones": milestones,
        "left_out": left_out,
    }


def _succeeded(line: Mapping[str, Any]) -> bool:
    return bool(line["success"])


def _reached(milestone: str, line: Mapping[str, Any]) -> bool:
    return milestone in line["milestones"]


def _which(config: Mapping[str, Any]) -> str:
    return f"{config['suite']}, {config['split']} seeds, {config['env']}"


def _grouped(pairs: Sequence[tuple[Any, Any]], key: str) -> dict[str, list[tuple[Any, Any]]]:
    parts: dict[str, list[tuple[Any, Any]]] = {}
    for pair in pairs:
        parts.setdefault(pair[0][key], []).append(pair)
    return parts
