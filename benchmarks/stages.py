"""JARVIS-VLA's claim, measured small: python benchmarks/stages.py OUT [--seeds 3]

The trajectories stage alone against the language and vision stages before it: the same trajectories, steps of it and
training seeds, the `tiny` model, placing things at hand. Judged on validation worlds, the same for all. Prints both
rates with Wilson's interval over all episodes, and their difference with a 95 % t-interval over training seeds. OUT
keeps what is finished: run it again to go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

# NOTE: vla.py beside this file has the name of a package
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

from evaluation.runs import evaluate  # noqa: E402
from evaluation.statistics import student, wilson  # noqa: E402
from evaluation.suites import get_suite  # noqa: E402
from jarvis.app.cli import main as jarvis  # noqa: E402
from jarvis.core.files import is_done, read_json  # noqa: E402
from vla.policy import VlaPolicy  # noqa: E402
from vla.post_train import STAGES, post_train, recipe  # noqa: E402

TASKS = ("place_torch-easy", "place_cobblestone-easy", "place_crafting_table-easy")
SIZE = {"width": 112, "height": 63}  # pixels
TICKS = 60  # of an episode
ARMS = {"trajectories alone": STAGES[2:], "language, vision, trajectories": STAGES}


def data(out: Path, stage: str, episodes: int, pictures: int) -> Path:
    """What a stage learns from; the same for all seeds."""
    folder = out / "data" / stage
    amounts = {"language": [], "vision": ["--pictures", str(pictures)], "trajectories": ["--episodes", str(episodes)]}
    tasks = [] if stage == "language" else [part for task in TASKS for part in ("--task", task)]
    sizes = [part for name, pixels in SIZE.items() for part in (f"--{name}", str(pixels))]
    if not is_done(folder):
        out_and_seed = ["--seed", "0", "--out", str(folder)]
        code = jarvis(["train", "vla-data", stage, *amounts[stage], *tasks, *sizes, *out_and_seed])
        if code:
            raise SystemExit(code)
    return folder


def trained(out: Path, stages: Sequence[str], folders: dict[str, Path], seed: int, steps: int) -> Path:
    """The last checkpoint of the stages, each begun with the model of the one before."""
    model, done = "tiny", ""
    for stage in stages:
        done += stage[0]
        row = 128 if stage == "trajectories" else 512  # tokens
        settings = {
            "model": model,
            "seed": seed,
            "steps": steps,
            "save_every": steps,
            "batch": 16,
            "max_tokens": row,
            "optimizer": {"rate": 2e-3, "warmup": 20},
            **SIZE,
        }
        config = recipe(f"tiny-{stage}", settings)
        model = str(post_train(config, [folders[stage]], out / "runs" / f"{done}-{seed}-{steps}"))
    return Path(model)


def judged(out: Path, model: Path, episodes: int, name: str) -> int:
    """How many episodes it won."""
    folder = out / "judged" / name
    if not is_done(folder):
        atomic = get_suite("atomic")
        tasks = {task: replace(atomic.tasks[task], max_ticks=TICKS) for task in TASKS}
        evaluate(
            replace(atomic, name="placing", tasks=tasks), VlaPolicy(model, temperature=0.3), folder, policy_name=name,
            split="validation", episodes_each=episodes, env_options=SIZE, videos=False, report=False, rows=5,
        )  # fmt: skip
    return int(read_json(folder / "summary.json")["overall"]["success"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="of each stage")
    parser.add_argument("--demonstrations", type=int, default=90)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--episodes", type=int, default=10, help="judged, of each task")
    given = parser.parse_args()
    folders = {stage: data(given.out, stage, given.demonstrations, given.pictures) for stage in STAGES}
    each = given.episodes * len(TASKS)
    wins: dict[str, list[int]] = {arm: [] for arm in ARMS}
    for seed in range(given.seeds):
        for arm, stages in ARMS.items():
            model = trained(given.out, stages, folders, seed, given.steps)
            won = judged(given.out, model, given.episodes, f"{''.join(stage[0] for stage in stages)}-{seed}")
            wins[arm].append(won)
            print(f"seed {seed}, {arm}: {won} of {each}", flush=True)
    for arm, counts in wins.items():
        share, low, high = wilson(sum(counts), each * len(counts))
        print(f"{arm}: {share:.2f} ({low:.2f} to {high:.2f})")
    alone, after = wins.values()
    gain, low, high = student([(second - first) / each for first, second in zip(alone, after, strict=True)])
    print(f"gain of the first two stages: {gain:+.2f} ({low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
