"""The book as a page: goals over time, success with intervals, what it cost, what was said, what was refused and why.

    write_page("runs/learn")           # runs/learn/page.html, one file, nothing loaded from anywhere
    python -m jarvis.app.curriculum.page runs/learn

Everything on it is rebuilt from the log and the transcript. What others wrote is shown as text and as nothing else.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from evaluation.charts import interval_bar, percent
from jarvis.app.curriculum.backends import backend
from jarvis.app.curriculum.book import MASTERY, MASTERY_COUNT, Book, GoalStats
from jarvis.app.curriculum.prompts import DATA
from jarvis.core.files import Pathlike, atomic_write, read_json, read_json_lines

__all__ = ["write_page"]

MOST_ROWS = 200  # of a table
_STYLE = """
.kpis { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin-top: 22px; }
.kpis .card { padding: 14px 18px; } .kpis b { display: block; font-size: 28px; font-weight: 650; line-height: 1.2; }
.kpis span { color: var(--soft); font-size: 13px; }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 18px 22px; }
.small h3 { margin: 0 0 2px; overflow-wrap: anywhere; color: var(--ink); font-size: 13px; }
.small svg, .wide-chart { width: 100%; height: auto; display: block; }
.band { fill: var(--accent); fill-opacity: .18; } .mid { fill: none; stroke: var(--accent); stroke-width: 2; }
.mid.two { stroke: var(--good); } .axis { fill: var(--soft); font-size: 11px; }
svg .name { fill: var(--ink); font-size: 11.5px; }
.tag { display: inline-block; border-radius: 4px; padding: 0 7px; font-size: 12px; background: var(--faint); }
.tag.mastered { background: var(--good); color: var(--card); } .tag.dormant { color: var(--odd); }
td.text { white-space: normal; overflow-wrap: anywhere; min-width: 180px; }
.scroll { overflow-x: auto; }
details { border-top: 1px solid var(--line); padding: 8px 0; } details:first-of-type { border-top: 0; }
summary { cursor: pointer; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12.5px; background: var(--faint); border-radius: 8px;
  padding: 10px 12px; max-height: 360px; overflow: auto; margin: 8px 0; }
"""


def write_page(folder: Pathlike) -> Path:
    """Writes page.html into the folder of a run and returns its path."""
    folder = Path(folder)
    asked = read_json(folder / "config.json")["asked"]
    book = Book(folder, backend(asked["env"])).replay()
    transcript = folder / "llm" / "transcript.jsonl"
    calls = read_json_lines(transcript).values if transcript.exists() else []
    title = f"{asked['curriculum']} in {asked['env']}"
    sections = [
        _head(title, asked, book), _numbers(book, calls), _growth(book), _curves(book), _goals(book),
        _said(book, calls), _refused(book), _lessons(book),
    ]  # fmt: skip
    template = (files("evaluation") / "report.html").read_text(encoding="utf-8")
    found = re.search(r"<style>(.*?)</style>", template, re.DOTALL)
    style = (found[1] if found else "") + _STYLE
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, sections))
        + "\n</main>\n</body>\n</html>\n"
    )
    return atomic_write(folder / "page.html", text.encode("utf-8", errors="replace"))


def _card(title: str, body: str, note: str = "") -> str:
    more = f'<p class="note">{note}</p>' if note else ""
    return f'<h2>{title}</h2>\n<div class="card">{body}{more}</div>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows[:MOST_ROWS])
    more = f'<p class="note">and {len(rows) - MOST_ROWS} more</p>' if len(rows) > MOST_ROWS else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def _cell(text: Any, kind: str = "") -> str:
    return f'<td class="{kind}">{escape(str(text))}</td>' if kind else f"<td>{escape(str(text))}</td>"


def _head(title: str, asked: Mapping[str, Any], book: Book) -> str:
    model = asked["llm"]["model"] or asked["llm"]["mode"]
    facts = {
        "seed": asked["seed"], "steps": f"{asked['steps']:,}", "cycles": asked["cycles"],
        "selector": asked["selector"] or "by curriculum", "language model": model, "book": book.hash,
    }  # fmt: skip
    listed = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(str(value))}</dd></div>" for key, value in facts.items())
    head = f'<p class="kicker">jarvis learn</p><h1>{escape(title)}</h1>'
    return f'{head}<dl class="facts" style="margin-top:18px">{listed}</dl>'


def _numbers(book: Book, calls: Sequence[Mapping[str, Any]]) -> str:
    tried = sum(stats.tried for stats in book.stats.values())
    used: Counter[str] = Counter()
    for call in calls:
        used["requests"] += int(call.get("requests", 1))
        used["tokens"] += sum(int(count) for count in (call.get("usage") or {}).values())
    tiles = [
        (len(book.stats), "goals"), (len(book.mastered), "mastered"), (tried, "attempts"),
        (len(book.segments), "relabelled"), (len(book.lessons), "lessons"), (len(book.refused), "refused"),
        (used["requests"], "requests to a model"), (f"{used['tokens']:,}", "tokens"),
    ]  # fmt: skip
    shown = "".join(f'<div class="card"><b>{number}</b><span>{name}</span></div>' for number, name in tiles)
    return f'<div class="kpis">{shown}</div>'


def _growth(book: Book) -> str:
    """Goals in the book and goals mastered at each evaluation."""
    points = [(entry["steps"], entry["goals"], len(entry["mastered"])) for entry in book.history]
    if len(points) < 2:
        return ""
    points = [(0, 0, 0), *points]
    width, height, left, right, bottom = 900, 240, 46, 90, 28
    most_steps, most = points[-1][0] or 1, max(goals for _, goals, _ in points) or 1

    def at(step: float, count: float) -> str:
        x = left + (width - left - right) * step / most_steps
        return f"{x:.1f},{10 + (height - 10 - bottom) * (1 - count / most):.1f}"

    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{width - right}" y1="{(y := float(at(0, most * share).split(",")[1]))}" '
        f'y2="{y}"/><text class="axis" x="{left - 8}" y="{y + 4}" text-anchor="end">{most * share:.0f}</text>'
        for share in (0, 0.5, 1)
    )
    lines = ""
    ends = (points[-1][1], points[-1][2])
    for index, name, kind in ((1, "goals", "mid"), (2, "mastered", "mid two")):
        path = " ".join(at(point[0], point[index]) for point in points)
        x, y = at(points[-1][0], points[-1][index]).split(",")
        drop = 12 if index == 2 and abs(ends[0] - ends[1]) / most < 0.06 else 0
        lines += f'<polyline class="{kind}" points="{path}"/>'
        lines += f'<text class="name" x="{float(x) + 8}" y="{float(y) + 4 + drop}">{points[-1][index]} {name}</text>'
    label = f'<text class="axis" x="{width - right}" y="{height - 6}" text-anchor="end">{most_steps:,} steps</text>'
    chart = (
        f'<svg class="wide-chart" viewBox="0 0 {width} {height}" role="img" aria-label="Goals over time">'
        f"{grid}{lines}{label}</svg>"
    )
    note = (
        f"Mastered: at least {MASTERY_COUNT} evaluation episodes of the newest policy, and a lower 95 % bound of "
        f"{percent(MASTERY)} or more. Practice certifies nothing."
    )
    return _card("Goals over time", chart, note)


def _curves(book: Book) -> str:
    """Success at each evaluation with its interval, a small chart for each goal that was ever evaluated."""
    told = [stats for key, stats in book.stats.items() if any(key in entry["rates"] for entry in book.history)]
    if not told or len(book.history) < 2:
        return ""
    told.sort(key=lambda stats: (-stats.evaluation.low, stats.number))
    most = book.history[-1]["steps"] or 1
    charts = []
    for stats in told[:60]:
        points = [(entry["steps"], *entry["rates"][stats.goal.id]) for entry in book.history
                  if stats.goal.id in entry["rates"]]  # fmt: skip

        def at(step: float, share: float) -> str:
            return f"{4 + 182 * step / most:.1f},{4 + 56 * (1 - share):.1f}"

        band = " ".join([at(p[0], p[3]) for p in points] + [at(p[0], p[2]) for p in reversed(points)])
        middle = " ".join(at(p[0], p[1]) for p in points)
        dots = "".join(
            f'<circle class="iv-dot" r="2.5" cx="{at(p[0], p[1]).split(",")[0]}" cy="{at(p[0], p[1]).split(",")[1]}"/>'
            for p in points
        )
        charts.append(
            f"<div><h3>{escape(stats.goal.text)}</h3><svg viewBox='0 0 190 64' role='img' "
            f"aria-label='{percent(points[-1][1])} at last'><line class='grid' x1='4' x2='186' y1='60' y2='60'/>"
            f"<line class='grid' x1='4' x2='186' y1='4' y2='4'/><polygon class='band' points='{band}'/>"
            f"<polyline class='mid' points='{middle}'/>{dots}</svg>"
            f"<small>{percent(points[-1][1])} of {stats.evaluations} at last</small></div>"
        )
    note = "Evaluation episodes in the original world, 0 to 100 % over all steps; the band is the 95 % interval."
    return _card("Success", f'<div class="small">{"".join(charts)}</div>', note)


def _goals(book: Book) -> str:
    def row(stats: GoalStats) -> list[str]:
        told = stats.evaluation
        value = None if told.value != told.value else told.value
        return [
            _cell(stats.goal.text, "text"), f'<td><span class="tag {stats.status}">{stats.status}</span></td>',
            f"<td>{interval_bar((told.low, told.high), value, 160) if value is not None else '-'}</td>",
            _cell(f"{percent(value)} of {stats.evaluations}" if value is not None else "-"),
            _cell(f"{percent(stats.rate.value)} of {stats.tried}" if stats.tried else "-"),
            _cell(stats.relabelled or "-"), _cell(stats.goal.source),
        ]  # fmt: skip

    ordered = sorted(book.stats.values(), key=lambda s: (not s.mastered, -s.evaluation.low, -s.rate.low, s.number))
    heads = ("goal", "status", "evaluation, 95 % interval", "", "in practice, lately", "relabelled", "source")
    return _card("Goals", _table(heads, [row(stats) for stats in ordered]))


def _said(book: Book, calls: Sequence[Mapping[str, Any]]) -> str:
    """Every call of a model beside what became of its answer."""
    by_key = {key: line for line in book.proposals for key in line.get("requests", ())}
    offline = [line for line in book.proposals if not line.get("requests")]
    shown = []
    for call in calls[:100]:
        line = by_key.get(call["key"], {})
        words = [f"{key} {value}" for key, value in line.get("repairs", {}).items()]
        errors = line.get("errors", [])
        asked = call.get("request", {}).get("messages", [])
        instructions, _, data = (asked[1]["content"] if len(asked) > 1 else "").rpartition(f"\n{DATA}\n")
        usage = call.get("usage") or {}
        facts = (
            f"{usage.get('prompt_tokens', 0)} + {usage.get('completion_tokens', 0)} tokens, {call.get('seconds', 0)} s"
        )
        bad = (
            f'<span class="odd">{len(errors)} errors</span>' if errors or "failed" in call else "read without an error"
        )
        body = f"<h3>said</h3><pre>{escape(str(call.get('text', call.get('failed', '')))[:20000])}</pre>"
        if errors:
            body += f"<h3>errors</h3><pre>{escape(chr(10).join(errors))}</pre>"
        if words:
            body += f"<p class='note'>repairs: {escape(', '.join(words))}</p>"
        body += f"<h3>asked</h3><pre>{escape(instructions[:6000])}\n\n{DATA}\n{escape(data[:6000])}</pre>"
        name = escape(f"{call.get('purpose', '')} {call.get('draw', '')}")
        shown.append(f"<details><summary><b>{name}</b> <small>{escape(facts)}</small>, {bad}</summary>{body}</details>")
    rows = [
        [_cell(line.get("proposer", "")), _cell(line.get("cycle", "-")), _cell(line.get("goals", 0)),
         _cell(line.get("lessons", 0)), _cell(line.get("refused", "") or "-", "text")]
        for line in offline
    ]  # fmt: skip
    heads = ("proposer", "cycle", "goals", "lessons", "why no model")
    table = f"<h3>Proposed without a model</h3>{_table(heads, rows)}" if rows else ""
    return _card("What was proposed", "".join(shown) + table) if shown or table else ""


def _refused(book: Book) -> str:
    counts = Counter(line["why"] for line in book.refused)
    if not counts:
        return ""

    def text(line: Mapping[str, Any]) -> str:
        if "goal" in line:
            return str(line["goal"]["text"])
        if "lesson" in line:
            return str(line["lesson"]["purpose"] or line["lesson"]["start"])
        return str(line.get("text", ""))

    rows = [
        [_cell(line["what"]), _cell(text(line), "text"), _cell(line["why"]), _cell(line["reason"], "text")]
        for line in reversed(book.refused)
    ]
    summary = ", ".join(f"{count} {why}" for why, count in counts.most_common())
    return _card("Refused", _table(("what", "", "kind", "why"), rows), escape(summary))


def _lessons(book: Book) -> str:
    if not book.lessons:
        return ""
    rows = []
    for lesson in book.lessons.values():
        goals = ", ".join(book.stats[goal].goal.text for goal in lesson.goals) or "whatever the game rewards"
        start = "; ".join(f"{key} {_plain(value)}" for key, value in lesson.start.to_json().items()) or "a new world"
        rows.append([_cell(goals, "text"), _cell(start, "text"), _cell(lesson.purpose, "text"), _cell(lesson.source)])
    return _card("Lessons", _table(("goals", "start", "purpose", "source"), rows))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return str(value)


if __name__ == "__main__":
    print(write_page(sys.argv[1]))
