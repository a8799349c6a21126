"""From lines to numbers: rates with intervals, milestones, costs; by task, by group, over all.

A rate is over the episodes that were played to their end. Aborted ones are counted apart: success + failed + aborted is
always what was scheduled, less what is still missing from an unfinished run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.statistics import crafter_score, milestone_curve, quartiles, wilson
from evaluation.tasks import CRAFTER_ACHIEVEMENTS

__all__ = ["eval_info", "summarise"]

Line = Mapping[str, Any]
COSTS = ("prompt_tokens", "completion_tokens", "gpu_seconds", "policy_seconds", "environment_seconds")


def summarise(config: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, Any]:
    """What summary.json holds."""
    scheduled = int(config["episodes"])
    aborted: dict[str, int] = {}
    for line in lines:
        if line["aborted"]:
            aborted[line["aborted"]] = aborted.get(line["aborted"], 0) + 1
    summary: dict[str, Any] = {
        "suite": config["suite"],
        "digest": config["digest"],
        "split": config["split"],
        "env": config["env"],
        "policy": config["policy"],
        "scheduled": scheduled,
        "missing": scheduled - len(lines),
        "overall": _counts(lines),
        "aborted_because": aborted,
        "per_group": {name: _counts(part) for name, part in _by(lines, "group").items()},
        "per_task": {name: _counts(part) | _details(part) for name, part in _by(lines, "task").items()},
        "milestones": _milestones(config.get("milestones", {}), lines),
        "usage": {name: round(sum(line["usage"][name] for line in lines), 3) for name in COSTS},
        "ticks": sum(line["ticks"] for line in lines),
        "seconds": round(sum(line["seconds"] for line in lines), 3),
    }
    if config["env"] == "crafter":
        finished = [line["milestones"] for line in lines if not line["aborted"]]
        summary["crafter_score"] = crafter_score(finished, tuple(CRAFTER_ACHIEVEMENTS)).to_json() if finished else None
    return summary


def _by(lines: Iterable[Line], key: str) -> dict[str, list[Line]]:
    parts: dict[str, list[Line]] = {}
    for line in lines:
        parts.setdefault(line[key], []).append(line)
    return parts


def _counts(lines: Sequence[Line]) -> dict[str, Any]:
    aborted = sum(line["aborted"] is not None for line in lines)
    success = sum(bool(line["success"]) for line in lines if line["aborted"] is None)
    finished = len(lines) - aborted
    rate = wilson(success, finished)
    return {
        "episodes": len(lines),
        "success": success,
        "failed": finished - success,
        "aborted": aborted,
        "rate": None if not finished else round(rate.value, 6),
        "interval": [round(rate.low, 6), round(rate.high, 6)],
        "ticks_to_success": quartiles([line["ticks"] for line in lines if line["success"] and not line["aborted"]]),
    }


def _details(lines: Sequence[Line]) -> dict[str, Any]:
    return {"group": lines[0]["group"], "seeds": [line["seed"] for line in lines]}


def _milestones(names: Mapping[str, Sequence[str]], lines: Sequence[Line]) -> dict[str, Any]:
    """{task: {milestone: reached, rate, interval, quartiles of the tick, curve}} for tasks that have milestones."""
    found: dict[str, Any] = {}
    by_task = _by([line for line in lines if line["aborted"] is None], "task")
    for task, milestones in names.items():
        part = by_task.get(task, [])
        found[task] = {}
        for name in milestones:
            ticks = [line["milestones"].get(name) for line in part]
            reached = [tick for tick in ticks if tick is not None]
            rate, curve = wilson(len(reached), len(ticks)), milestone_curve(ticks)
            found[task][name] = {
                "reached": len(reached),
                "episodes": len(ticks),
                "rate": None if not ticks else round(rate.value, 6),
                "interval": [round(rate.low, 6), round(rate.high, 6)],
                "ticks": quartiles(reached),
                "curve": [[tick, *share.to_json()] for tick, share in zip(curve.ticks, curve.shares, strict=True)],
            }
    return found


# -- LeRobot ---------------------------------------------------------------------------------------------------------


def eval_info(config: Mapping[str, Any], lines: Sequence[Line], seconds: float) -> dict[str, Any]:
    """LeRobot's eval_info.json: per_task, per_group and overall as its own evaluation writes them, aborted ones left
    out; what it has no place for is under "jarvis"."""
    finished = [line for line in lines if line["aborted"] is None]
    per_task = []
    for number, (task, part) in enumerate(_by(finished, "task").items()):
        metrics = {
            "sum_rewards": [line["total_reward"] for line in part],
            "max_rewards": [line["best_reward"] for line in part],
            "successes": [bool(line["success"]) for line in part],
            "video_paths": [line["video"] for line in part if line["video"]],
        }
        per_task.append({"task_group": part[0]["group"], "task_id": number, "task": task, "metrics": metrics})
    overall = _aggregate(finished) | {"eval_s": seconds, "eval_ep_s": seconds / len(finished) if finished else 0.0}
    return {
        "per_task": per_task,
        "per_group": {name: _aggregate(part) for name, part in _by(finished, "group").items()},
        "overall": overall,
        "jarvis": {
            "suite": config["suite"],
            "digest": config["digest"],
            "split": config["split"],
            "policy": config["policy"],
            "aborted": len(lines) - len(finished),
            "interval": _counts(lines)["interval"],
        },
    }


def _aggregate(lines: Sequence[Line]) -> dict[str, Any]:
    count = max(1, len(lines))
    return {
        "avg_sum_reward": sum(line["total_reward"] for line in lines) / count,
        "avg_max_reward": sum(line["best_reward"] for line in lines) / count,
        "pc_success": 100 * sum(bool(line["success"]) for line in lines) / count,
        "n_episodes": len(lines),
        "video_paths": [line["video"] for line in lines if line["video"]],
    }
