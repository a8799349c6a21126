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

import numpy as np

# NOTE: vla.py beside this file has the name of a package
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

from evaluation.runs import evaluate  # noqa: E402
from evaluation.statistics import wilson  # noqa: E402
from evaluation.suites import get_suite  # noqa: E402
from jarvis.app.cli import main as jarvis  # noqa: E402
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
    if not (folder / "made").is_file():
        out_and_seed = ["--seed", "0", "--out", str(folder)]
        code = jarvis(["train", "vla-data", stage, *amounts[stage], *tasks, *sizes, *out_and_seed])
        if code:
            raise SystemExit(code)
        (folder / "made").touch()
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


def judged(out: Path, model: Path, episodes: int, name: str) -> list[bool]:
    """Who won, episode by episode."""
    atomic = get_suite("atomic")
    suite = replace(
        atomic, name="placing", tasks={task: replace(atomic.tasks[task], max_ticks=TICKS) for task in TASKS}
    )
    lines: list[bool] = []
    evaluate(
        suite, VlaPolicy(model, temperature=0.3), out / "judged" / name, policy_name=name, split="validation",
        episodes_each=episodes, env_options=SIZE, videos=False, report=False, rows=5,
    )  # fmt: skip
    for line in (out / "judged" / name / "results.jsonl").read_text().splitlines():
        lines.append('"success":true' in line)
    return lines


def main() -> None:
    """The command line."""
    from scipy.stats import t

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="of each stage")
    parser.add_argument("--demonstrations", type=int, default=90)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--episodes", type=int, default=10, help="judged, of each task")
    given = parser.parse_args()
    folders = {stage: data(given.out, stage, given.demonstrations, given.pictures) for stage in STAGES}
    rates: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for seed in range(given.seeds):
        for arm, stages in ARMS.items():
            model = trained(given.out, stages, folders, seed, given.steps)
            won = judged(given.out, model, given.episodes, f"{''.join(stage[0] for stage in stages)}-{seed}")
            rates[arm].append(float(np.mean(won)))
            print(f"seed {seed}, {arm}: {sum(won)} of {len(won)}", flush=True)
    each = given.episodes * len(TASKS)
    for arm, shares in rates.items():
        interval = wilson(round(sum(shares) * each), each * len(shares))
        print(f"{arm}: {np.mean(shares):.2f} ({interval.low:.2f} to {interval.high:.2f})")
    gains = np.subtract(*reversed(list(rates.values())))
    half = float(t.ppf(0.975, len(gains) - 1) * np.std(gains, ddof=1) / np.sqrt(len(gains)))
    gain = float(gains.mean())
    print(f"gain of the first two stages: {gain:+.2f} ({gain - half:+.2f} to {gain + half:+.2f})")


if __name__ == "__main__":
    main()
