"""report.html: one page about one evaluation, with nothing to fetch, failures first.

    python -m evaluation.reports runs/tech_tree        # again, for instance after the results were judged

Videos are inside the page up to EMBED_BYTES, one failure of every task first; the others are played from beside it. Keys
and mouse are drawn over them by the page, from the recorded actions.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.atomic import DIFFICULTIES
from evaluation.results import load_results
from evaluation.summary import summarise
from jarvis.core.actions import BUTTONS
from jarvis.core.events import read_events
from jarvis.core.files import atomic_write, read_json_lines

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
    shown = _episodes(path, lines, embed_bytes)
    body = [_head(config, summary, lines)]
    if config["env"] == "crafter" and summary.get("crafter_score"):
        body.append(_crafter(summary))
    body += [_milestones(task, named) for task, named in summary["milestones"].items() if config["env"] != "crafter"]
    body += [_rates(summary), _judgements(path), _theatre(shown)]
    body.append(_footer(config, lines))
    template = files("evaluation").joinpath("report.html").read_text("utf-8")
    # NOTE: "<" must not stand in a script, or a name could end it
    data = json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": escape(f"{config['suite']}: {config['policy']}"), "body": "\n".join(part for part in body if part),
        "episodes": data, "buttons": json.dumps(BUTTONS),
    }  # fmt: skip
    page = template
    for name in ("title", "buttons", "body", "episodes"):  # what comes from outside goes in last
        page = page.replace("{{" + name + "}}", parts[name], 1)
    return atomic_write(path / "report.html", page)


# -- the page's parts ------------------------------------------------------------------------------------------------


def _percent(share: float | None) -> str:
    if share is None or math.isnan(share):
        return "-"
    digits = 0 if share in (0, 1) else 1
    return f"{100 * share:.{digits}f} %"


def _clock(ticks: float) -> str:
    minutes, seconds = divmod(int(ticks / FPS), 60)
    return f"{minutes}:{seconds:02d}"


def _head(config: Mapping[str, Any], summary: Mapping[str, Any], lines: Sequence[Line]) -> str:
    overall, missing = summary["overall"], summary["missing"]
    counts = {name: overall[name] for name in ("success", "failed", "aborted")} | (
        {"missing": missing} if missing else {}
    )
    stack = "".join(f'<i class="{name}" style="flex:{count}"></i>' for name, count in counts.items() if count)
    legend = "".join(
        f'<span><span class="dot {name}"></span><b>{count}</b> {"no success" if name == "failed" else name}</span>'
        for name, count in counts.items()
        if count or name != "missing"
    )
    low, high = overall["interval"]
    finished = overall["success"] + overall["failed"]
    number = "-" if overall["rate"] is None else f"{100 * overall['rate']:.1f}".removesuffix(".0")
    reasons = "".join(
        f"<li>{count}&times; {escape(reason[:200])}</li>"
        for reason, count in sorted(summary["aborted_because"].items())[:6]
    )
    usage = summary["usage"]
    facts = {
        "policy": config["policy"],
        "environment": config["env"] + "".join(f", {name} {value}" for name, value in config["env_options"].items()),
        "suite": f"{config['suite']}, {len(config['tasks'])} task{'s' if len(config['tasks']) != 1 else ''}",
        "worlds": f"{config['split']} seeds, {config['episodes_each']} a task",
        "played": f"{summary['ticks']:,} ticks, {_hours(summary['ticks'] / FPS)} of play",
        "environment time": _hours(usage["environment_seconds"]),
        "policy time": _hours(usage["policy_seconds"]),
        "GPU time": _hours(usage["gpu_seconds"]) if usage["gpu_seconds"] else "none",
        "tokens": f"{usage['prompt_tokens']:,} in, {usage['completion_tokens']:,} out"
        if usage["prompt_tokens"] + usage["completion_tokens"]
        else "none",
        "suite digest": config["digest"],
    }
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items()
    )
    has_goal = any(line["success"] for line in lines) or config["env"] != "crafter"
    rate = (
        f'<div class="rate">{number}<small> %</small></div><p>success, 95&thinsp;% interval {100 * low:.1f} to '
        f"{100 * high:.1f}, of {finished} episode{'s' if finished != 1 else ''}</p>"
    )
    if not has_goal and summary.get("crafter_score"):
        value, low, high = summary["crafter_score"]
        rate = (
            f'<div class="rate">{value:.1f}</div><p>Crafter score, 95&thinsp;% interval {low:.1f} to {high:.1f}, of '
            f"{finished} episodes</p>"
        )
    return f"""
<p class="kicker">Evaluation</p><h1>{escape(config["policy"])} on {escape(config["suite"])}</h1>
<div class="head"><section class="card">{rate}
<div class="stack">{stack}</div><div class="legend">{legend}</div>{f'<ul class="reasons">{reasons}</ul>' if reasons else ""}</section>
<section class="card"><dl class="facts">{listed}</dl></section></div>"""


def _hours(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"


def _bar(interval: Sequence[float], value: float | None, width: int = 240) -> str:
    """An interval on a line from 0 to 100 %."""
    low, high = (6 + (width - 12) * end for end in interval)
    grid = "".join(
        f'<line class="grid" x1="{6 + (width - 12) * at}" x2="{6 + (width - 12) * at}" y1="2" y2="18"/>'
        for at in (0, 0.5, 1)
    )
    dot = "" if value is None else f'<circle class="iv-dot" cx="{6 + (width - 12) * value:.1f}" cy="10" r="4"/>'
    return (
        f'<svg width="{width}" height="20" role="img" aria-label="{_percent(interval[0])} to {_percent(interval[1])}">{grid}'
        f'<line class="iv-line" x1="{low:.1f}" x2="{high:.1f}" y1="10" y2="10"/>{dot}</svg>'
    )


def _rates(summary: Mapping[str, Any]) -> str:
    tasks, groups = summary["per_task"], summary["per_group"]
    leveled = any(name.endswith(("-easy", "-hard")) for name in tasks) and len(tasks) > 12
    out = ["<h2>Success by group</h2>" if leveled or len(groups) < len(tasks) else "<h2>Success by task</h2>"]
    rows = groups if leveled or len(groups) < len(tasks) else tasks
    if len(tasks) == 1:
        return ""  # the head says it
    out.append(_table(rows))
    if leveled:
        out.append("<h2>Success by skill and start</h2>" + _matrix(tasks))
    elif len(groups) < len(tasks):
        out.append("<h2>Success by task</h2>" + _table(tasks))
    return "\n".join(out)


def _table(rows: Mapping[str, Any]) -> str:
    body = []
    for name, counts in rows.items():
        finished = counts["success"] + counts["failed"]
        times = counts["ticks_to_success"]
        when = f"{_clock(times[1])} <small>({_clock(times[0])} to {_clock(times[2])})</small>" if times else "-"
        aborted = f'<span style="color:var(--odd)">{counts["aborted"]}</span>' if counts["aborted"] else "0"
        body.append(
            f"<tr><td>{escape(name)}</td><td class=num>{_percent(counts['rate'])}</td><td>{_bar(counts['interval'], counts['rate'])}</td>"
            f"<td class=num>{counts['success']}&thinsp;/&thinsp;{finished}</td><td class=num>{aborted}</td><td class=wide>{when}</td></tr>"
        )
    return (
        '<section class="card"><table><thead><tr><th></th><th class=num>success</th><th>95&thinsp;% interval, 0 to 100&thinsp;%</th>'
        "<th class=num>of</th><th class=num>aborted</th><th>time to success, median (quartiles)</th></tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></section>"
    )


def _matrix(tasks: Mapping[str, Any]) -> str:
    """Skills by start: one cell for each of the three."""
    families: dict[str, dict[str, dict[str, Any]]] = {}
    for name, counts in tasks.items():
        skill, _, level = name.partition("-")
        families.setdefault(counts["group"], {}).setdefault(skill, {})[level or "normal"] = counts
    parts = []
    for family, skills in families.items():
        rows = []
        for skill, levels in skills.items():
            cells = "".join(f"<td class=cell>{_cell(levels.get(level))}</td>" for level in DIFFICULTIES)
            rows.append(f"<tr><td>{escape(skill.removeprefix(family + '_').replace('_', ' '))}</td>{cells}</tr>")
        heads = "".join(f"<th class=cell>{level}</th>" for level in DIFFICULTIES)
        parts.append(
            f"<div><table><thead><tr><th>{escape(family)}</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )
    return f'<section class="card"><div class="matrix">{"".join(parts)}</div></section>'


def _cell(counts: Mapping[str, Any] | None) -> str:
    if counts is None:
        return ""
    finished = counts["success"] + counts["failed"]
    text = f"{counts['success']}/{finished}"
    if counts["aborted"]:
        text += f'<i title="{counts["aborted"]} aborted"></i>'
    if not counts["success"]:
        return f"<span>{text}</span>"
    share = round(15 + 75 * counts["rate"])
    ink = "color:#fff" if share > 55 else "color:var(--ink)"
    return f'<span style="background:color-mix(in srgb, var(--good) {share}%, var(--faint));{ink}">{text}</span>'


# A ramp from violet over blue and green to orange, readable on light and on dark paper.
_RAMP = (
    "#7b4fa3",
    "#5c62b5",
    "#3f78b8",
    "#2f8ca8",
    "#2e9a86",
    "#45a15f",
    "#7aa23c",
    "#a99a2a",
    "#c78728",
    "#d26d33",
    "#cf5545",
)


def _colour(number: int, count: int) -> str:
    return _RAMP[round(number * (len(_RAMP) - 1) / max(1, count - 1))]


def _milestones(task: str, named: Mapping[str, Any]) -> str:
    """The share of episodes that had reached each milestone, over time, and the same as a table."""
    rows = []
    for number, (name, facts) in enumerate(named.items()):
        times = facts["ticks"]
        when = f"{_clock(times[1])} <small>({_clock(times[0])} to {_clock(times[2])})</small>" if times else "-"
        rows.append(
            f'<tr><td><span class="dot" style="background:{_colour(number, len(named))}"></span>{escape(name.replace("_", " "))}</td>'
            f"<td class=num>{_percent(facts['rate'])}</td><td>{_bar(facts['interval'], facts['rate'])}</td>"
            f"<td class=num>{facts['reached']}&thinsp;/&thinsp;{facts['episodes']}</td><td class=wide>{when}</td></tr>"
        )
    table = (
        "<table style='margin-top:18px'><thead><tr><th>milestone</th><th class=num>reached</th><th>95&thinsp;% interval, 0 to 100&thinsp;%</th>"
        f"<th class=num>of</th><th>time, median (quartiles)</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return f"<h2>Milestones of {escape(task)}</h2><section class=card>{_curves(named)}{table}</section>"


def _curves(named: Mapping[str, Any]) -> str:
    reached = {name: facts for name, facts in named.items() if facts["curve"]}
    if not reached:
        return "<p class=soft>No episode reached any of them.</p>"
    left, top, width, height = 46, 14, 880, 300
    last = max(facts["curve"][-1][0] for facts in reached.values())
    unit = next(unit for unit in (20, 100, 200, 600, 1200, 2400, 6000, 12000, 10**9) if last / unit <= 10)
    end = unit * math.ceil((last + 1) / unit)

    def x(tick: float) -> float:
        return left + width * tick / end

    def y(share: float) -> float:
        return top + height * (1 - share)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y(share)}" y2="{y(share)}"/>')
        parts.append(f'<text x="{left - 8}" y="{y(share) + 4}" text-anchor="end">{round(100 * share)} %</text>')
    for tick in range(0, end + 1, unit):
        parts.append(f'<text x="{x(tick):.1f}" y="{top + height + 20}" text-anchor="middle">{_clock(tick)}</text>')
    labels = sorted(
        (
            (y(facts["curve"][-1][1]), number, name)
            for number, (name, facts) in enumerate(named.items())
            if facts["curve"]
        ),
        key=lambda label: (label[0], -label[1]),
    )
    spots: dict[str, float] = {}
    lowest = top - 6.0
    for at, _, name in labels:  # pushed down until they do not touch
        lowest = max(at, lowest + 14.5)
        spots[name] = lowest
    for number, (name, facts) in enumerate(named.items()):
        if not facts["curve"]:
            continue
        colour = _colour(number, len(named))
        path = [f"M{x(0):.1f} {y(0):.1f}"]
        for tick, share, _, _ in facts["curve"]:
            path.append(f"H{x(tick):.1f}V{y(share):.1f}")
        path.append(f"H{left + width}")
        final = y(facts["curve"][-1][1])
        parts.append(
            f'<g class="curve"><title>{escape(name)}: {facts["reached"]} of {facts["episodes"]}, interval '
            f'{_percent(facts["interval"][0])} to {_percent(facts["interval"][1])}</title><path d="{"".join(path)}" stroke="{colour}"/>'
            f'<path d="M{left + width} {final:.1f}L{left + width + 10} {spots[name]:.1f}" stroke="{colour}" style="stroke-width:1"/>'
            f'<text class="name" x="{left + width + 14}" y="{spots[name] + 4:.1f}">{escape(name.replace("_", " "))}</text></g>'
        )
    bottom = max(top + height + 30, lowest + 12)
    return f'<svg class="curves" viewBox="0 0 1070 {bottom:.0f}" role="img" aria-label="share of episodes over time">{"".join(parts)}</svg>'


def _crafter(summary: Mapping[str, Any]) -> str:
    (named,) = summary["milestones"].values()
    rows = sorted(named.items(), key=lambda item: -(item[1]["rate"] or 0))
    body = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td class=num>{_percent(facts['rate'])}</td><td>{_bar(facts['interval'], facts['rate'])}</td>"
        f"<td class='num'>{facts['reached']}&thinsp;/&thinsp;{facts['episodes']}</td><td class=wide></td></tr>"
        for name, facts in rows
    )
    return f"<h2>Achievements</h2><section class=card><table><tbody>{body}</tbody></table></section>"


def _judgements(path: Path) -> str:
    """What a judge said, if one was asked, and how far it agrees with the predicates."""
    if not (path / "judgements.jsonl").is_file():
        return ""
    from evaluation.judge import CRITERIA, agreement

    config, lines = load_results(path)
    judged = list(read_json_lines(path / "judgements.jsonl"))
    verdicts = agreement(lines, judged)
    scored = [line["scores"] for line in judged if line.get("scores")]
    rows = "".join(
        f"<tr><td>{escape(text)}</td><td class=num>{np.mean([scores[name] for scores in scored]):.1f}</td><td class=wide><small>of 10, {len(scored)} episodes</small></td></tr>"
        for name, text in CRITERIA.items()
        if scored
    )
    agreed = verdicts["agreement"]
    said = (
        f"It agrees with the predicate on {verdicts['agree']} of {verdicts['judged']} episodes ({_percent(agreed[0])}, interval "
        f"{_percent(agreed[1])} to {_percent(agreed[2])}); {verdicts['false_success']} times it saw a success that was none, "
        f"{verdicts['missed_success']} times it missed one. It decides nothing."
        if verdicts["judged"]
        else "It gave no usable answer."
    )
    return f"<h2>The opinion of a judge</h2><section class=card><table><tbody>{rows}</tbody></table><p class=note>{said}</p></section>"


def _theatre(shown: Sequence[Mapping[str, Any]]) -> str:
    if not shown:
        return ""
    counts = {
        verdict: sum(episode["verdict"] == verdict for episode in shown) for verdict in ("failed", "aborted", "success")
    }
    tabs = f'<button type="button" value="all" aria-pressed="true">all {len(shown)}</button>' + "".join(
        f'<button type="button" value="{verdict}" aria-pressed="false">{"no success" if verdict == "failed" else verdict} {count}</button>'
        for verdict, count in counts.items()
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
        f"<footer>Rates are over episodes that were played to their end; intervals are Wilson's, 95&thinsp;%. Success is decided "
        f"from events and the inventory.{voxel}<br>{escape(made)}. Configuration {escape(lines[0]['config_hash'] if lines else '')}.</footer>"
    )


# -- the episodes ----------------------------------------------------------------------------------------------------


def _verdict(line: Line) -> str:
    return "aborted" if line["aborted"] else "success" if line["success"] else "failed"


def _episodes(path: Path, lines: Sequence[Line], embed_bytes: int) -> list[dict[str, Any]]:
    """What the page knows of each episode, failures first; videos inside while there is room, one of every task first."""
    rank = {"failed": 0, "aborted": 1, "success": 2}
    ordered = sorted(lines, key=lambda line: (rank[_verdict(line)], line["episode"]))
    takes: dict[tuple[str, str], int] = {}
    turn = {}
    for line in ordered:
        key = (line["task"], _verdict(line))
        turn[line["episode"]] = takes[key] = takes.get(key, -1) + 1
    inside: set[int] = set()
    room = embed_bytes
    for line in sorted(ordered, key=lambda line: (turn[line["episode"]], rank[_verdict(line)], line["episode"])):
        video = path / line["video"] if line.get("video") else None
        if video is not None and video.is_file() and video.stat().st_size <= room:
            room -= video.stat().st_size
            inside.add(line["episode"])
    return [_episode(path, line, line["episode"] in inside) for line in ordered]


def _episode(path: Path, line: Line, inside: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "task": line["task"],
        "instruction": line.get("instruction", ""),
        "verdict": _verdict(line),
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
        told |= _actions(list(read_json_lines(path / line["actions"])))
    if line.get("events") and (path / line["events"]).is_file():
        events = [event for event in read_events(path / line["events"]) if event.name != "custom"]
        told["events"] = [[event.tick, event.name, event.item] for event in events[:EVENTS_SHOWN]]
    return told


def _actions(actions: Sequence[Any]) -> dict[str, Any]:
    """Seven bytes a tick: 23 bits of buttons, and pitch and yaw in hundredths of a degree; one byte for named actions."""
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
