"""The drawings and tables of a report, as HTML and SVG: intervals, curves over time, skills by start.

Colours are the page's own variables, so that they follow the light or dark paper that the reader has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evaluation.atomic import DIFFICULTIES

__all__ = ["clock", "curves", "duration", "interval_bar", "matrix", "milestone_table", "percent", "rate_table"]

FPS = 20
RULER = "95&thinsp;% interval, 0 to 100&thinsp;%"
# From violet over blue and green to red, readable on light and on dark paper.
RAMP = (
    "#7b4fa3", "#5c62b5", "#3f78b8", "#2f8ca8", "#2e9a86", "#45a15f", "#7aa23c", "#a99a2a", "#c78728", "#d26d33",
    "#cf5545",
)  # fmt: skip


def percent(share: float | None) -> str:
    """A share as people write it: "35.1 %", and "-" where nothing was counted."""
    if share is None or math.isnan(share):
        return "-"
    return f"{100 * share:.{0 if share in (0, 1) else 1}f} %"


def clock(ticks: float) -> str:
    """Ticks as minutes and seconds of play."""
    minutes, seconds = divmod(int(ticks / FPS), 60)
    return f"{minutes}:{seconds:02d}"


def duration(seconds: float) -> str:
    """Seconds as people write them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"


def interval_bar(interval: Sequence[float], value: float | None, width: int = 240) -> str:
    """An interval on a line from 0 to 100 %."""

    def x(share: float) -> float:
        return 6 + (width - 12) * share

    grid = "".join(f'<line class="grid" x1="{x(at)}" x2="{x(at)}" y1="2" y2="18"/>' for at in (0, 0.5, 1))
    dot = "" if value is None else f'<circle class="iv-dot" cx="{x(value):.1f}" cy="10" r="4"/>'
    low, high = interval
    return (
        f'<svg width="{width}" height="20" role="img" aria-label="{percent(low)} to {percent(high)}">{grid}'
        f'<line class="iv-line" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="10" y2="10"/>{dot}</svg>'
    )


def _row(*cells: tuple[str, str]) -> str:
    """A table's row of (class, HTML) cells."""
    return (
        "<tr>"
        + "".join(f'<td class="{kind}">{html}</td>' if kind else f"<td>{html}</td>" for kind, html in cells)
        + "</tr>"
    )


def _table(heads: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    head = "".join(f'<th class="{kind}">{html}</th>' if kind else f"<th>{html}</th>" for kind, html in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _when(times: Sequence[float] | None) -> str:
    return f"{clock(times[1])} <small>({clock(times[0])} to {clock(times[2])})</small>" if times else "-"


def _steps(counts: Sequence[float] | None) -> str:
    return f"step {counts[1]:.0f} <small>({counts[0]:.0f} to {counts[2]:.0f})</small>" if counts else "-"


def rate_table(rows: Mapping[str, Any]) -> str:
    """Success of tasks or groups, one a row."""
    body = []
    for name, counts in rows.items():
        aborted = f'<span class="odd">{counts["aborted"]}</span>' if counts["aborted"] else "0"
        body.append(
            _row(
                ("", escape(name)),
                ("num", percent(counts["rate"])),
                ("", interval_bar(counts["interval"], counts["rate"])),
                ("num", f"{counts['success']}&thinsp;/&thinsp;{counts['success'] + counts['failed']}"),
                ("num", aborted),
                ("wide", _when(counts["ticks_to_success"])),
            )
        )
    heads = [("", ""), ("num", "success"), ("", RULER), ("num", "of"), ("num", "aborted")]
    return _table([*heads, ("wide", "time to success, median (quartiles)")], body)


def milestone_table(named: Mapping[str, Any], coloured: bool = True) -> str:
    """How many episodes reached each milestone and when: coloured as the curves, by the clock; or plain, in steps."""
    body = []
    for number, (name, facts) in enumerate(named.items()):
        dot = f'<span class="dot" style="background:{_colour(number, len(named))}"></span>' if coloured else ""
        body.append(
            _row(
                ("", dot + escape(name.replace("_", " "))),
                ("num", percent(facts["rate"])),
                ("", interval_bar(facts["interval"], facts["rate"])),
                ("num", f"{facts['reached']}&thinsp;/&thinsp;{facts['episodes']}"),
                ("wide", _when(facts["ticks"]) if coloured else _steps(facts["ticks"])),
            )
        )
    when = "time, median (quartiles)" if coloured else "median (quartiles)"
    heads = [("", ""), ("num", "reached"), ("", RULER), ("num", "of"), ("wide", when)]
    return _table(heads, body)


def matrix(tasks: Mapping[str, Any]) -> str:
    """Skills by start, a block for each family: one cell for each of the three difficulties."""
    families: dict[str, dict[str, dict[str, Any]]] = {}
    for name, counts in tasks.items():
        skill, _, level = name.partition("-")
        families.setdefault(counts["group"], {}).setdefault(skill, {})[level or "normal"] = counts
    blocks = []
    order = ("mine", "smelt", "kill")  # first, because they fill a column beside the many of craft
    for family in sorted(families, key=lambda family: order.index(family) if family in order else len(order)):
        skills = families[family]
        rows = [
            _row(
                ("", escape(skill.removeprefix(f"{family}_").replace("_", " "))),
                *(("cell", _cell(levels.get(level))) for level in DIFFICULTIES),
            )
            for skill, levels in skills.items()
        ]
        blocks.append(
            f"<div>{_table([('', escape(family)), *(('cell', level) for level in DIFFICULTIES)], rows)}</div>"
        )
    note = '<p class="note legend"><span><span class="dot aborted"></span>some episodes were aborted</span></p>'
    some = any(counts["aborted"] for counts in tasks.values())
    return f'<div class="matrix">{"".join(blocks)}</div>{note if some else ""}'


def _cell(counts: Mapping[str, Any] | None) -> str:
    if counts is None:
        return ""
    text = f"{counts['success']}/{counts['success'] + counts['failed']}"
    if counts["aborted"]:
        text += f'<i title="{counts["aborted"]} aborted"></i>'
    if not counts["success"]:
        return f"<span>{text}</span>"
    share = round(15 + 75 * counts["rate"])
    ink = "#fff" if share > 55 else "var(--ink)"
    return f'<span style="background:color-mix(in srgb, var(--good) {share}%, var(--faint));color:{ink}">{text}</span>'


# -- curves ----------------------------------------------------------------------------------------------------------


def _colour(number: int, count: int) -> str:
    return RAMP[round(number * (len(RAMP) - 1) / max(1, count - 1))]


def curves(named: Mapping[str, Any]) -> str:
    """The share of episodes that had reached each milestone, over time."""
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
        parts.append(f'<text x="{x(tick):.1f}" y="{top + height + 20}" text-anchor="middle">{clock(tick)}</text>')
    spots = _label_spots({name: y(facts["curve"][-1][1]) for name, facts in reached.items()}, top)
    for number, (name, facts) in enumerate(named.items()):
        if name not in reached:
            continue
        colour = _colour(number, len(named))
        steps = "".join(f"H{x(tick):.1f}V{y(share):.1f}" for tick, share, *_ in facts["curve"])
        line = f"M{x(0):.1f} {y(0):.1f}{steps}H{left + width}"
        leader = f"M{left + width} {y(facts['curve'][-1][1]):.1f}L{left + width + 10} {spots[name]:.1f}"
        low, high = map(percent, facts["interval"])
        reach = f"{facts['reached']} of {facts['episodes']}, {low} to {high}"
        spot = f'x="{left + width + 14}" y="{spots[name] + 4:.1f}"'
        parts.append(
            f'<g class="curve"><title>{escape(name)}: {reach}</title>'
            f'<path d="{line}" stroke="{colour}"/><path d="{leader}" stroke="{colour}" style="stroke-width:1"/>'
            f'<text class="name" {spot}>{escape(name.replace("_", " "))}</text></g>'
        )
    bottom = max(top + height + 30, max(spots.values()) + 12)
    return (
        f'<svg class="curves" viewBox="0 0 1070 {bottom:.0f}" role="img" aria-label="share of episodes over time">'
        f"{''.join(parts)}</svg>"
    )


def _label_spots(heights: Mapping[str, float], top: float) -> dict[str, float]:
    """Where labels can stand beside the ends of their curves, pushed down until none touches another."""
    spots: dict[str, float] = {}
    lowest = top - 6.0
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        spots[name] = lowest = max(height, lowest + 14.5)
    return spots
