"""The page of a run: stages, time, data in and out, charts, and sample videos with keys and mouse over them.

    write_run_page("runs/quickstart")          # runs/quickstart/page.html, one file that calls nobody

It is made of run.json and the stages' own files, and made again while a stage runs, when it looks for itself every few
seconds. Charts are JSON of three kinds:

    {"kind": "bars", "title", "items": [[name, number], ...], "percent": bool, "most": the longest bar's number}
    {"kind": "lines", "title", "series": {name: [[x, y], ...]}}
    {"kind": "intervals", "title", "items": [[name, share or null, low, high, words], ...]}
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from evaluation.charts import duration, interval_bar, percent
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import FormatError
from jarvis.core.files import Pathlike, atomic_write, read_json

__all__ = ["write_run_page"]

REFRESH = 10  # seconds between looks while a run goes on
ASIDE_SHOWN = 12
LOG_SHOWN = 12  # lines
STATES = {
    "waits": "not begun", "runs": "running", "done": "done now", "kept": "done before", "failed": "failed",
    "stopped": "stopped",
}  # fmt: skip

Told = Mapping[str, Any]


def write_run_page(out: Pathlike) -> Path:
    """Writes page.html into the folder of a run and returns its path."""
    out = Path(out)
    run = read_json(out / "run.json")
    stages = [{**line, **_stage(out, line)} for line in run["stages"]]
    films: list[dict[str, Any]] = []
    sections = [_head(out, run, stages), _table(run, stages)]
    sections += [_section(out, run, stage, films) for stage in stages if stage["state"] != "waits"]
    report = (files("evaluation") / "report.html").read_text(encoding="utf-8")
    style, script = (re.search(rf"<{tag}>(.*?)</{tag}>", report, re.DOTALL) for tag in ("style", "script"))
    own = {name: (files("jarvis.app") / "static" / f"run.{name}").read_text(encoding="utf-8") for name in ("css", "js")}
    refresh = "" if run["over"] else f'<meta http-equiv="refresh" content="{REFRESH}">\n'
    drawn = (script[1] if script else "").replace("{{buttons}}", json.dumps(BUTTONS))
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; media-src blob:\">\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{refresh}'
        f"<title>{escape(run['name'])}: {_state_of(run, stages)}</title>\n"
        f"<style>{style[1] if style else ''}{own['css']}</style>\n"
        "</head>\n<body>\n<main>\n" + "\n".join(filter(None, sections)) + "\n</main>\n"
        # NOTE: "<" must not stand in a script, or a name could end it
        f'<script type="application/json" id="films">{json.dumps(films).replace("<", chr(92) + "u003c")}</script>\n'
        f'<script type="application/json" id="episodes">[]</script>\n<script>{drawn}</script>\n'
        f"<script>{own['js']}</script>\n</body>\n</html>\n"
    )
    return atomic_write(out / "page.html", text.encode("utf-8", errors="replace"))


def _stage(out: Path, line: Told) -> dict[str, Any]:
    """What a stage's own files tell; how it stands now is told by the run."""
    for name in ("stage.json", "about.json"):
        path = out / line["folder"] / name if line.get("folder") else None
        if path is not None and path.is_file():
            try:
                told = read_json(path)
            except FormatError:
                continue
            return {key: value for key, value in told.items() if key not in ("name", "kind")}
    return {}


def _state_of(run: Told, stages: Sequence[Told]) -> str:
    states = [stage["state"] for stage in stages]
    if "failed" in states:
        return "failed"
    if "stopped" in states:
        return "stopped"
    if not run["over"]:
        return "running"
    return "finished" if "waits" not in states else "done so far"


# sections


def _head(out: Path, run: Told, stages: Sequence[Told]) -> str:
    seconds = sum(stage.get("seconds") or 0 for stage in stages)
    cpu = sum(stage.get("cpu") or 0 for stage in stages)
    done = sum(stage["state"] in ("done", "kept") for stage in stages)
    facts = {
        "state": _state_of(run, stages),
        "stages": f"{done} of {len(stages)} done",
        "time of all stages": duration(seconds) if seconds else "-",
        "processor time": duration(cpu) if cpu else "-",
        "looked at": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["now"])),
        "folder": str(out.absolute()),
    }
    facts |= {name: _short(value) for name, value in run["parameters"].items()}
    return (
        f'<p class="kicker">jarvis run</p><h1>{escape(run["name"])}</h1><p class="about">{escape(run["about"])}</p>'
        f"{_facts(facts)}"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_number(value))}</dd></div>"
        for name, value in facts.items()
        if value is not None
    )
    return f'<dl class="facts">{listed}</dl>'


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _table(run: Told, stages: Sequence[Told]) -> str:
    most = max([stage.get("seconds") or 0 for stage in stages] + [1e-9])
    rows = []
    for number, stage in enumerate(stages, 1):
        state = stage["state"]
        seconds = stage.get("seconds") if state in ("done", "kept") else None
        if state == "runs":
            seconds = run["now"] - stage["since"]
        bar = "" if seconds is None else f'<i style="width:{max(1, 100 * min(seconds, most) / most):.1f}%"></i>'
        words = STATES[state] + (f", attempt {stage['attempts']}" if (stage.get("attempts") or 0) > 1 else "")
        came = sum(held["bytes"] for held in (stage.get("inputs") or {}).values())
        went = (stage.get("contents") or {}).get("bytes")
        link = f'<a href="#{escape(stage["name"])}">{escape(stage["name"])}</a>' if state != "waits" else stage["name"]
        source = f"<small>of {escape(', '.join(stage['from']))}</small>" if stage["from"] else ""
        rows.append(
            f'<tr class="{state}"><td class=num>{number}</td><td><span class="dot s-{state}"></span>{link}'
            f"<small>{escape(stage['kind'])}</small></td>"
            f'<td class="flow">{escape(stage.get("took") or "")} {source}<small>{_size(came)}</small></td>'
            f'<td class="flow">{escape(stage.get("made") or "")} <small>{_size(went)}</small></td>'
            f'<td class="time"><b>{"" if seconds is None else duration(seconds)}</b>'
            f'<span class="span">{bar}</span></td>'
            f"<td>{escape(words)}</td></tr>"
        )
    return (
        '<h2>Stages</h2><div class="card scroll"><table class="stages"><thead><tr><th></th><th>stage</th><th>in</th>'
        f"<th>out</th><th>time</th><th></th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _size(size: int | None) -> str:
    if not size:
        return ""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"


def _section(out: Path, run: Told, stage: Told, films: list[dict[str, Any]]) -> str:
    folder = stage["folder"]
    parts = []
    if stage.get("reason"):
        parts.append(f'<p class="why">{escape(stage["reason"])}</p>')
    if stage["state"] in ("runs", "failed", "stopped"):
        parts.append(_log(out / folder))
    else:
        charts = "".join(_chart(chart) for chart in stage.get("charts", ()))
        parts.append(f'<div class="told">{_facts(stage.get("facts", {}))}<div class="charts">{charts}</div></div>')
        parts.append(_films(out / folder, stage, films))
        parts.append(_put_aside(stage.get("aside", {})))
    links = [f'<a href="{escape(f"{folder}/data/{path}")}">{escape(words)}</a>'
             for words, path in stage.get("links", {}).items()]  # fmt: skip
    links += [f'<a href="{escape(folder)}/data">files</a>']
    if (out / folder / "log.txt").is_file():
        links.append(f'<a href="{escape(folder)}/log.txt">log</a>')
    asked = ", ".join(f"{name} {_short(value)}" for name, value in stage.get("asked", {}).items())
    parts.append(f'<p class="note">{" &middot; ".join(links)}<br>{escape(asked)}</p>')
    head = f'<h2 id="{escape(stage["name"])}">{escape(stage["name"])} <small>{escape(stage["kind"])}</small></h2>'
    return f'{head}<section class="card">{"".join(parts)}</section>'


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _log(folder: Path) -> str:
    path = folder / "log.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_SHOWN:] if path.is_file() else []
    return f"<pre>{escape(chr(10).join(lines) or 'nothing yet')}</pre>"


def _put_aside(aside: Mapping[str, str]) -> str:
    if not aside:
        return ""
    rows = "".join(
        f"<li>{escape(Path(name).name)}: {escape(reason)}</li>" for name, reason in list(aside.items())[:ASIDE_SHOWN]
    )
    more = f"<li>and {len(aside) - ASIDE_SHOWN} more</li>" if len(aside) > ASIDE_SHOWN else ""
    return f'<h3 class="gap">Put aside: {len(aside)}</h3><ul class="reasons">{rows}{more}</ul>'


def _films(folder: Path, stage: Told, films: list[dict[str, Any]]) -> str:
    places = []
    for sample in stage.get("samples", ()):
        path = folder / "samples" / sample["video"]
        if path.is_file():
            places.append(f'<figure class="film" data-film="{len(films)}"></figure>')
            films.append(sample | {"video": base64.b64encode(path.read_bytes()).decode()})
    return f'<div class="films">{"".join(places)}</div>' if places else ""


# charts


def _chart(chart: Told) -> str:
    draw = {"bars": _bars, "lines": _lines, "intervals": _intervals}[chart["kind"]]
    body = draw(chart)
    return f'<div class="chart"><h3>{escape(chart["title"])}</h3>{body}</div>' if body else ""


def _bars(chart: Told) -> str:
    items = [(str(name), float(number)) for name, number in chart["items"] if number is not None]
    most = chart.get("most") or max([number for _, number in items] + [0])
    if not items or not most:
        return ""
    rows = "".join(
        f'<div class="bar-row"><span title="{escape(name)}">{escape(name)}</span>'
        f'<i><b style="width:{100 * max(0.0, number) / most:.1f}%"></b></i>'
        f"<em>{percent(number) if chart.get('percent') else f'{number:,.4g}'}</em></div>"
        for name, number in items
    )
    return f'<div class="bar-rows">{rows}</div>'


def _intervals(chart: Told) -> str:
    rows = "".join(
        f"<tr><td class=wide>{escape(name)}</td><td>{interval_bar((low, high), rate, 200)}</td>"
        f"<td class=num>{percent(rate)}</td><td><small>{escape(words)}</small></td></tr>"
        for name, rate, low, high, words in chart["items"]
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _lines(chart: Told) -> str:
    series = {name: points for name, points in chart["series"].items() if len(points) > 1}
    if not series:
        return ""
    every = [point for points in series.values() for point in points]
    last = max(x for x, _ in every) or 1
    low, high = min(min(y for _, y in every), 0.0), max(y for _, y in every) or 1.0
    width, height, left, bottom = 420, 170, 40, 20

    def at(x: float, y: float) -> str:
        return f"{left + (width - left - 6) * x / last:.1f},{6 + (height - 6 - bottom) * (high - y) / (high - low):.1f}"

    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{width - 6}" y1="{(y := at(0, value).split(",")[1])}" y2="{y}"/>'
        f'<text x="{left - 6}" y="{float(y) + 4}" text-anchor="end">{value:.3g}</text>'
        for value in (low, (low + high) / 2, high)
    )
    drawn = "".join(
        f'<polyline class="line n{number % 3}" points="{" ".join(at(x, y) for x, y in points)}"/>'
        for number, points in enumerate(series.values())
    )
    names = "" if len(series) == 1 else "".join(
        f'<span><i class="key n{number % 3}"></i>{escape(name)}</span>' for number, name in enumerate(series)
    )  # fmt: skip
    return (
        f'<svg class="lines" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(chart["title"])}">'
        f"{grid}{drawn}"
        f'<text x="{left}" y="{height - 4}">0</text><text x="{width - 6}" y="{height - 4}" text-anchor="end">{last:,}'
        f'</text></svg><div class="legend">{names}</div>'
    )
