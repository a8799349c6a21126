"""jarvis data view recordings/diamond/voxel-000000-00 --out page.html"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jarvis.app.commands.options import OK, Assignments, Config, Json, Seed, print_json, to_log, to_person


def data_view(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A recording by any of its files, their folder, or a dataset.")
    ],
    clip: Annotated[
        str | None,
        typer.Option("--clip", metavar="NAME", help="Which recording of the folder, or clip of the dataset."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The page; else NAME.html here.")] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Refer to the video instead of putting it into the page.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Make a page of one recording: video, hands, events, skills.

    The page is one HTML file that needs nothing else: the video with keys, mouse and cursor, and a timeline with
    events, skills, and how sure the labels are.
    """
    from data_pipelines.view import write_page

    name, shown = _find(path, clip)
    page = write_page(shown, out or Path(f"{name}.html"), link=link)
    if as_json:
        print_json({"page": str(page)})
    (to_log if as_json else to_person)(f"page {page}")
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return OK


def _find(path: Path, clip: str | None) -> tuple[str, Any]:
    """The name and what is to be shown: a recording, or the timeline of a labelled clip."""
    from data_pipelines.datasets import Dataset
    from data_pipelines.inspection import is_dataset
    from data_pipelines.recordings import Recording, find_recordings
    from data_pipelines.view import clip_timeline
    from jarvis.core.errors import FormatError

    if is_dataset(path):
        dataset = Dataset.open(path)
        clips = {facts.clip: facts for facts in dataset.clips()}
        names = {facts.name: facts.clip for facts in clips.values()}
        chosen = _choose(path, clip if clip in clips else names.get(clip or "", clip), list(clips), list(names))
        return clips[chosen].name.replace("/", "_"), clip_timeline(dataset, chosen)
    if path.is_dir():
        found = {recording.name: recording for recording in find_recordings(path)}
        name = _choose(path, clip, list(found), list(found))
        return name, found[name]
    recording = Recording.of(path)
    if not recording.video.exists() and not recording.actions.exists():
        raise FormatError(f"{path}: no recording there, and no dataset")
    return recording.name, recording


def _choose(path: Path, wanted: str | None, known: list[str], shown: list[str]) -> str:
    from jarvis.core.errors import FormatError, UnknownNameError, nearest_names

    if not known:
        raise FormatError(f"{path}: no recordings there, and no dataset")
    if wanted is None and len(known) > 1:
        some = ", ".join(shown[:3])
        raise FormatError(f"{path}: which of {len(known)}? Take one with --clip NAME, such as {some}")
    if wanted is not None and wanted not in known:
        raise UnknownNameError("clip", wanted, nearest_names(wanted, shown), str(path))
    return wanted or known[0]
