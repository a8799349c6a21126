"""Curricula on Crafter at equal environment steps: none, uniform, random, fixed, envgen, techtree.

    python benchmarks/crafter_curriculum.py --steps 32000 --seeds 3 --out /tmp/crafter_curriculum --minutes 11
    python benchmarks/crafter_curriculum.py --out /tmp/crafter_curriculum --report

Every arm and seed is a run of `jarvis.app.curriculum.loop` in a folder of its own; begun again, the program goes on
where it stopped. Steps in generated worlds count like any others. The score is Crafter's, over the training episodes of
the last phase, which is in the original world for all, and once more over 10 evaluation episodes with fixed seeds.
fixed and envgen ask the scripted designer (rules, no language model) over HTTP unless --llm names another; its answers
are in each run's llm/transcript.jsonl, from which the run can be replayed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

PORT = 8431
ARMS = ("none", "uniform", "random", "fixed", "envgen", "techtree")


def run(arm: str, seed: int, steps: int, folder: Path, llm: str) -> None:
    from jarvis.app.curriculum.llm import parse_llm
    from jarvis.app.curriculum.loop import LearnConfig, learn

    asked = LearnConfig(
        env="crafter", curriculum=arm, seed=seed, steps=steps, cycles=2, evaluations=10,
        ppo={"rows": 16, "length": 128, "workers": 0},
        llm=parse_llm(llm if arm in ("fixed", "envgen") else "none"),
    )  # fmt: skip
    began, cpu = time.time(), time.process_time()
    outcome = learn(asked, folder)
    spent = {"wall_seconds": round(time.time() - began, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    print(json.dumps({"arm": arm, "seed": seed, **outcome, **spent}), flush=True)


def report(out: Path) -> None:
    import numpy as np

    from evaluation.statistics import crafter_score
    from jarvis.app.curriculum.backends import backend
    from jarvis.app.curriculum.book import Book
    from jarvis.core.random_streams import generator

    scores: dict[str, dict[int, float]] = {}
    for folder in sorted(out.glob("*_*")):
        if not (folder / "done").exists():
            continue
        arm, _, seed = folder.name.rpartition("_")
        book = Book(folder, backend("crafter")).replay()
        outcome = json.loads((folder / "outcome.json").read_text())
        last = [list(stats.evaluated.values())[-1] for stats in book.stats.values()]
        held_out = [
            {key: 1 for key, told in zip(book.stats, last, strict=True) if told[episode]} for episode in last[0]
        ]
        scores.setdefault(arm, {})[int(seed)] = outcome["score"][0]
        print(json.dumps({
            "arm": arm, "seed": int(seed), "steps": outcome["steps"], "score": outcome["score"],
            "episodes": outcome["episodes"],
            "held_out_score": [round(part, 2) for part in crafter_score(held_out, list(book.stats))],
            "achievements": {s.goal.text: round(s.evaluation.value, 2) for s in book.stats.values() if s.evaluation[0]},
        }))  # fmt: skip
    base = scores.get("none", {})
    for arm, found in scores.items():
        values = np.array(list(found.values()))
        draws = generator(0, "bootstrap").choice(values, (10000, len(values))).mean(1)
        paired = np.array([found[seed] - base[seed] for seed in found if seed in base])
        pairs = generator(0, "pairs").choice(paired, (10000, len(paired))).mean(1) if len(paired) else np.zeros(1)
        print(json.dumps({
            "arm": arm, "seeds": len(values), "mean_score": round(float(values.mean()), 3),
            "interval_over_seeds": np.percentile(draws, (2.5, 97.5)).round(3).tolist(),
            "minus_none": round(float(paired.mean()), 3) if len(paired) else None,
            "interval": np.percentile(pairs, (2.5, 97.5)).round(3).tolist(),
        }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=32_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after so long, stop soon")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--llm", default="", help="as of `jarvis learn`; else the scripted designer")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        return report(options.out)
    from jarvis.app.curriculum.scripted import ScriptedLLM

    # A port of its own: a run that goes on must find its designer where it was.
    with ScriptedLLM("good", PORT) as server:
        practise(options, options.llm or f"{server.url}#{server.model}")
    return None


def practise(options: argparse.Namespace, llm: str) -> None:
    ends = time.monotonic() + 60 * options.minutes
    waiting = [(arm, seed) for seed in range(options.seeds) for arm in options.arms.split(",")]
    waiting = [pair for pair in waiting if not (options.out / f"{pair[0]}_{pair[1]}" / "done").exists()]
    context = multiprocessing.get_context("spawn")
    running: list[multiprocessing.process.BaseProcess] = []
    while (waiting or running) and time.monotonic() < ends:
        running = [process for process in running if process.is_alive()]
        while waiting and len(running) < options.processes:
            arm, seed = waiting.pop(0)
            arguments = (arm, seed, options.steps, options.out / f"{arm}_{seed}", llm)
            running.append(context.Process(target=run, args=arguments))
            running[-1].start()
        time.sleep(0.5)
    for process in running:  # killed in the middle: the next call goes on from its last checkpoint
        process.kill()


if __name__ == "__main__":
    main()
