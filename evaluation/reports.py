"""report.html: one page about one evaluation, with nothing to fetch, failures first.

    python -m evaluation.reports runs/tech_tree        # again, for instance after the results were judged

Videos are inside the page up to EMBED_BYTES, one failure of every task first; the others are played from beside it.
Keys and mouse are drawn over them by the page, from the recorded actions.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from evaluation.charts import curves, duration, matrix, milestone_table, percent, rate_table
from evaluation.judge import CRITERIA, JUDGEMENTS, agreement
from evaluation.results import load_results
from evaluation.summary import summarise
from jarvis.core.actions import BUTTONS
from jarvis.core.events import read_events
from jarvis.core.files import atomic_write, read_json_lines
from jarvis.envs.crafter import CRAFTER_ACTIONS

__all__ = ["write_report"]

EMBED_BYTES = 24 << 20  # of videos inside the page
EVENTS_SHOWN = 400  # of an episode
FPS = 20

Line = Mapping[str, Any]


def write_report(path: str | Path, embed_bytes: int = EMBED_BYTES) -> Path:
    """Writes report.html into an evaluation's folder and returns its path."""
    path = Path(path)
    config, lines = load_results(path)
    summary = summarise(config, lines)
    shown = _episodes(path, lines, frozenset(config["goalless"]), embed_bytes)
    sections = [
        _head(config, summary), *_milestones(config, summary), *_rates(summary), _opinions(path, lines),
        _theatre(shown), _footer(config, lines),
    ]  # fmt: skip
    parts = {
        "title": escape(f"{config['suite']}: {config['policy']}"),
        "buttons": json.dumps(BUTTONS),
        "body": "\n".join(section for section in sections if section),
        # NOTE: "<" must not stand in a script, or a name could end it
        "episodes": json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c"),
    }
    page = files("evaluation").joinpath("report.html").read_text("utf-8")
    for name, content in parts.items():  # what comes from outside goes in last
        page = page.replace("{{" + name + "}}", content, 1)
    return atomic_write(path / "report.html", page)


# -- the page's sections ---------------------------------------------------------------------------------------------


def _card(title: str, *content: str) -> str:
    return f"<h2>{escape(title)}</h2><section class=card>{''.join(content)}</section>"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _head(config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    overall, usage = summary["overall"], summary["usage"]
    counts = {name: overall[name] for name in ("success", "failed", "aborted")}
    if not set(config["tasks"]) - set(config["goalless"]):  # nobody could succeed or fail
        counts = {"played": overall["failed"], "aborted": overall["aborted"]}
    if summary["missing"]:
        counts["missing"] = summary["missing"]
    stack = "".join(f'<i class="{name}" style="flex:{count}"></i>' for name, count in counts.items() if count)
    words = {"failed": "no success"}
    legend = "".join(
        f'<span><span class="dot {name}"></span><b>{count}</b> {words.get(name, name)}</span>'
        for name, count in counts.items()
    )
    reasons = "".join(
        f"<li>{count}&times; {escape(reason[:200])}</li>"
        for reason, count in sorted(summary["aborted_because"].items())[:6]
    )
    options = "".join(f", {name} {value}" for name, value in config["env_options"].items())
    tokens = usage["prompt_tokens"] + usage["completion_tokens"]
    facts = {
        "policy": config["policy"],
        "environment": config["env"] + options,
        "suite": f"{config['suite']}, {_plural(len(config['tasks']), 'task')}",
        "worlds": f"{config['split']} seeds, {config['episodes_each']} a task",
        "played": f"{_plural(summary['ticks'], 'tick')}, {duration(summary['ticks'] / FPS)} of play"
        if config["env"] != "crafter"
        else _plural(summary["ticks"], "step"),
        "environment time": duration(usage["environment_seconds"]),
        "policy time": duration(usage["policy_seconds"]),
        "GPU time": duration(usage["gpu_seconds"]) if usage["gpu_seconds"] else "none",
        "tokens": f"{usage['prompt_tokens']:,} in, {usage['completion_tokens']:,} out" if tokens else "none",
        "suite digest": config["digest"],
    }
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items()
    )
    return (
        f'<p class="kicker">Evaluation</p><h1>{escape(config["policy"])} on {escape(config["suite"])}</h1>'
        f'<div class="head"><section class="card">{_verdict_of_all(summary)}<div class="stack">{stack}</div>'
        f'<div class="legend">{legend}</div><ul class="reasons">{reasons}</ul></section>'
        f'<section class="card"><dl class="facts">{listed}</dl></section></div>'
    )


def _verdict_of_all(summary: Mapping[str, Any]) -> str:
    """The one number: the success rate, or Crafter's score."""
    overall = summary["overall"]
    finished = overall["success"] + overall["failed"]
    if summary.get("crafter_score"):
        value, low, high = summary["crafter_score"]
        number, unit, what = f"{value:.1f}", "", "Crafter score"
    else:
        rate, (low, high) = overall["rate"], (100 * end for end in overall["interval"])
        number, unit, what = (
            "-" if rate is None else f"{100 * rate:.1f}".removesuffix(".0"),
            "<small> %</small>",
            "success",
        )
    return (
        f'<div class="rate">{number}{unit}</div>'
        f"<p>{what}, 95&thinsp;% interval {low:.1f} to {high:.1f}, of {_plural(finished, 'episode')}</p>"
    )


def _milestones(config: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    if config["env"] == "crafter":
        (named,) = summary["milestones"].values()
        ordered = dict(sorted(named.items(), key=lambda item: -(item[1]["rate"] or 0)))
        return [_card("Achievements", milestone_table(ordered, coloured=False))]
    return [
        _card(f"Milestones of {task}", curves(named), milestone_table(named))
        for task, named in summary["milestones"].items()
    ]


def _rates(summary: Mapping[str, Any]) -> list[str]:
    tasks, groups = summary["per_task"], summary["per_group"]
    if len(tasks) < 2:
        return []  # the head says it
    starts = len(tasks) > 12 and any(name.endswith(("-easy", "-hard")) for name in tasks)
    grouped = [_card("Success by group", rate_table(groups))] if starts or len(groups) < len(tasks) else []
    if starts:
        return [*grouped, _card("Success by skill and start", matrix(tasks))]
    return [*grouped, _card("Success by task", rate_table(tasks))]


def _opinions(path: Path, lines: Sequence[Line]) -> str:
    """What a judge said, if one was asked, and how far it agrees with the predicates."""
    if not (path / JUDGEMENTS).is_file():
        return ""
    judged = {line["episode"]: line for line in read_json_lines(path / JUDGEMENTS) if "scores" in line}
    told = agreement(lines, judged.values())
    if not told["judged"]:
        return _card("The opinion of a judge", "<p>It gave no usable answer.</p>")
    rows = "".join(
        f"<tr><td class=num>{fmean(line['scores'][name] for line in judged.values()):.1f}</td>"
        f"<td class=wide>{escape(text)}</td></tr>"
        for name, text in CRITERIA.items()
    )
    share, low, high = map(percent, told["agreement"])
    models = ", ".join(sorted({line["model"] for line in judged.values()}))
    said = (
        f"Means of 0 to 10 by {escape(models)} over {_plural(len(judged), 'episode')}. It agrees with the "
        f"predicates on {told['agree']} of {told['judged']} ({share}, interval {low} to {high}): "
        f"{told['false_success']} times it saw a success that was none, {told['missed_success']} times it missed one. "
        "It decides nothing."
    )
    return _card("The opinion of a judge", f"<table><tbody>{rows}</tbody></table><p class=note>{said}</p>")


def _theatre(shown: Sequence[Mapping[str, Any]]) -> str:
    if not shown:
        return ""
    words = {"failed": "no success", "aborted": "aborted", "success": "success", "played": "played"}
    counts = {"all": len(shown)} | {key: sum(one["verdict"] == key for one in shown) for key in words}
    tabs = "".join(
        f'<button type="button" value="{key}" aria-pressed="{"true" if key == "all" else "false"}">'
        f"{words.get(key, key)} {count}</button>"
        for key, count in counts.items()
        if count
    )
    return (
        '<h2>Episodes, failures first</h2><section class="card theatre"><div class="side"><div class="tools">'
        f'<input type="search" placeholder="Task, words, seed" aria-label="Search"><div class="tabs">{tabs}</div></div>'
        '<div class="list"></div></div><div class="show"></div></section>'
    )


def _footer(config: Mapping[str, Any], lines: Sequence[Line]) -> str:
    made = ", ".join(f"{name} {number}" for name, number in (lines[0]["versions"] if lines else {}).items())
    voxel = " These are scores in the voxel world, not in Minecraft." if config["env"] == "voxel" else ""
    return (
        "<footer>Rates are over episodes that were played to their end; intervals are Wilson's, 95&thinsp;%. "
        f"Success is decided from events and the inventory.{voxel}<br>{escape(made)}. "
        f"Configuration {escape(lines[0]['config_hash'] if lines else '')}.</footer>"
    )


# -- the episodes ----------------------------------------------------------------------------------------------------


def _verdict(line: Line, goalless: frozenset[str]) -> str:
    if line["aborted"]:
        return "aborted"
    return "played" if line["task"] in goalless else "success" if line["success"] else "failed"


def _episodes(path: Path, lines: Sequence[Line], goalless: frozenset[str], embed_bytes: int) -> list[dict[str, Any]]:
    """What the page knows of each episode, failures first; videos inside while there is room, one a task first."""
    rank = {"failed": 0, "aborted": 1, "success": 2, "played": 2}
    verdicts = {line["episode"]: _verdict(line, goalless) for line in lines}
    ordered = sorted(lines, key=lambda line: (rank[verdicts[line["episode"]]], line["episode"]))
    takes: dict[tuple[str, str], int] = {}
    turn = {}
    for line in ordered:
        key = (line["task"], verdicts[line["episode"]])
        turn[line["episode"]] = takes[key] = takes.get(key, -1) + 1
    inside: set[int] = set()
    room = embed_bytes
    for line in sorted(
        ordered, key=lambda line: (turn[line["episode"]], rank[verdicts[line["episode"]]], line["episode"])
    ):
        video = path / line["video"] if line.get("video") else None
        if video is not None and video.is_file() and video.stat().st_size <= room:
            room -= video.stat().st_size
            inside.add(line["episode"])
    return [_episode(path, line, verdicts[line["episode"]], line["episode"] in inside) for line in ordered]


def _episode(path: Path, line: Line, verdict: str, inside: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "task": line["task"],
        "instruction": line.get("instruction", ""),
        "verdict": verdict,
        "aborted": line["aborted"],
        "ticks": line["ticks"],
        "seed": line["seed"],
        "milestones": line["milestones"],
        "events": [],
        "square": line["env"] == "crafter",
    }
    if line.get("video"):
        told["path"] = line["video"]
        if inside:
            told["video"] = base64.b64encode((path / line["video"]).read_bytes()).decode()
    if line.get("actions") and (path / line["actions"]).is_file():
        actions = list(read_json_lines(path / line["actions"]))
        if line["env"] == "crafter":
            actions = [CRAFTER_ACTIONS[action] if isinstance(action, int) else action for action in actions]
        told |= _actions(actions)
    if line.get("events") and (path / line["events"]).is_file():
        events = [event for event in read_events(path / line["events"]) if event.name != "custom"]
        told["events"] = [[event.tick, event.name, event.item] for event in events[:EVENTS_SHOWN]]
    return told


def _actions(actions: Sequence[Any]) -> dict[str, Any]:
    """Seven bytes a tick: 23 bits of buttons, pitch and yaw in hundredths of a degree; one byte for a named action."""
    if not isinstance(actions[0], dict):
        names = sorted({str(action) for action in actions})[:255]
        packed = bytes(names.index(str(action)) for action in actions)
        return {"keys": names, "actions": base64.b64encode(packed).decode()}
    parts = []
    for action in actions:
        bits = sum(1 << bit for bit, name in enumerate(BUTTONS) if action.get(name))
        pitch, yaw = (max(-32768, min(32767, round(100 * turn))) for turn in action["camera"])
        parts.append(bits.to_bytes(3, "little") + struct.pack("<hh", pitch, yaw))
    return {"actions": base64.b64encode(b"".join(parts)).decode()}


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(write_report(folder))
