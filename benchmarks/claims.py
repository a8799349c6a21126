"""Two claims of VPT, measured small: python benchmarks/claims.py OUT [--seeds 3]

    hours    how well an inverse dynamics model labels, against the hours of labelled play it learnt from
    labels   behaviour cloning on labels of an inverse dynamics model, against cloning on the true keys and mouse

Both with equal steps for all, so that data alone differs, on play of the scripted player that is recorded first
(craft_diamond from an empty inventory, human habits, 128 x 128), judged on worlds in none of the training. Every line
is the mean over training seeds with a 95 % t-interval. OUT keeps what is finished: run it again to go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.statistics import student
from jarvis.app.cli import main as jarvis
from jarvis.core.files import read_json, write_json

SIZE = 128  # pixels
EPISODE = 2400  # ticks
JUDGED = 2  # recordings of that length
Found = dict[str, list[dict[str, float]]]  # what was tried -> what each seed reached
WORLDS = {"train": 11, "judge": 12}  # seeds of recordings: other worlds for each


def record(out: Path, name: str, count: int) -> Path:
    """Play with keys, mouse and video."""
    folder = out / "recordings" / name
    size = ["--width", str(SIZE), "--height", str(SIZE), "--max-ticks", str(EPISODE)]
    play = ["record", "--player", "scripted", "--task", "craft_diamond", "--seed", str(WORLDS[name]), *size]
    _ran(jarvis([*play, "--episodes", str(count), "--out", str(folder)]))
    return folder


def hours_of_labels(out: Path, play: Path, judged_on: Path, hours: Sequence[float], seeds: int, steps: int) -> Found:
    """{hours: what each seed's model reaches}."""
    from idm.clips import load_recordings
    from idm.loading import load_network
    from idm.training import evaluate, recipes, train

    judged = load_recordings(judged_on, out / "cache")
    recipe = recipes()["small"]
    found: Found = {}
    for amount in hours:
        for seed in range(seeds):
            rates = replace(recipe.optimizer, warmup=50, clip=5.0)
            config = replace(recipe, steps=steps, hours=amount, seed=seed, optimizer=rates, average=0.99)
            folder = out / "idm" / f"{amount:g}-{seed}-{steps}"

            def judge(folder: Path = folder, config: Any = config) -> dict[str, float]:
                last = train(config, folder, play, cache=out / "cache")
                told = evaluate(load_network(str(last)), judged).summary()
                return {name: told[name] for name in ("keypress", "keypress_previous", "r2")}

            found.setdefault(f"{amount:g}", []).append(_kept(folder / "judged.json", judge))
            print(f"hours {amount:g} seed {seed}: {found[f'{amount:g}'][-1]}", flush=True)
    return found


def clone(out: Path, play: Path, judged_on: Path, hours: float, seeds: int, steps: int) -> Found:
    """{whose labels: the loss of each seed's clone on true actions of other worlds, nats a tick}."""
    from skill_discovery.clips import find_clips
    from skill_discovery.foundation import held_back_loss, recipe, train
    from skill_discovery.scorers import load_scorer

    judged = find_clips(judged_on)[0]
    labels = out / "labels"
    _ran(jarvis(["label", str(play), "--idm", "default", "--device", "cpu", "--out", str(labels)]))
    found: Found = {}
    for name, data in (("true", play), ("labelled", labels)):
        clips = sorted(find_clips(data)[0], key=lambda clip: clip.name)[: episodes(hours)]
        for seed in range(seeds):
            config = recipe("small", {"steps": steps, "save_every": steps, "seed": seed})
            folder = out / "clones" / f"{name}-{hours:g}-{seed}-{steps}"

            def judge(folder: Path = folder, config: Any = config, clips: Any = clips) -> dict[str, float]:
                train(config, clips, folder)
                losses = held_back_loss(load_scorer(str(folder)).policy, judged, config)
                return {name: losses[name] for name in ("buttons", "camera")}

            found.setdefault(name, []).append(_kept(folder / "judged.json", judge))
            print(f"{name} seed {seed}: {found[name][-1]}", flush=True)
    return found


def episodes(hours: float) -> int:
    """How many recordings that is."""
    return -(-round(hours * 72_000) // EPISODE)


def interval(values: Sequence[float]) -> str:
    """The mean, and what it is within at 95 % by Student's t."""
    mean, low, high = student(values)
    return f"{mean:.3f}" if len(values) < 2 else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _kept(path: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    if not path.is_file():
        write_json(path, make())
    return dict(read_json(path))


def _ran(code: int) -> None:
    if code:
        raise SystemExit(code)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["hours", "labels"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hours", type=float, nargs="+", default=[0.05, 0.2, 0.8])
    parser.add_argument("--steps", type=int, default=400, help="of an inverse dynamics model")
    parser.add_argument("--clone-hours", type=float, default=0.2)
    parser.add_argument("--clone-steps", type=int, default=150)
    given = parser.parse_args()
    play = record(given.out, "train", episodes(max(*given.hours, given.clone_hours)))
    judged = record(given.out, "judge", JUDGED)
    if given.only != "labels":
        found = hours_of_labels(given.out, play, judged, given.hours, given.seeds, given.steps)
        print(f"\n| hours of labels | all 20 buttons right | camera R2 | copy previous |\n{'|---' * 4}|")
        for amount, runs in found.items():
            columns = [interval([run[name] for run in runs]) for name in ("keypress", "r2")]
            print(f"| {amount} | {columns[0]} | {columns[1]} | {runs[0]['keypress_previous']:.3f} |")
    if given.only != "hours":
        found = clone(given.out, play, judged, given.clone_hours, given.seeds, given.clone_steps)
        print(f"\n| cloned from | nats a tick: buttons | camera |\n{'|---' * 3}|")
        for name, runs in found.items():
            print(f"| {name} | {' | '.join(interval([run[head] for run in runs]) for head in ('buttons', 'camera'))} |")
        both = zip(found["labelled"], found["true"], strict=True)
        extra = [sum(one.values()) - sum(other.values()) for one, other in both]
        print(f"\nlabelled less true, both heads, by seed: {interval(extra)} nats a tick")


if __name__ == "__main__":
    # NOTE: idm.py beside this file has the name of a package
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    main()
