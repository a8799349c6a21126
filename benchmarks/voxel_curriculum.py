"""Curricula in the voxel world: distinct goals mastered, on fixed seeds in new worlds, against ticks of practice.

    python benchmarks/voxel_curriculum.py --steps 40000 --seeds 1 --out /tmp/voxel_curriculum

Each arm and seed is a run of `jarvis.app.curriculum.loop`; begun again, it goes on where it stopped. A line tells, for
each evaluation, the ticks of practice so far, the goals in the book, and those that are certified: 20 evaluation
episodes, lower 95 % bound of 0.5. lma3 asks the scripted designer (rules, no language model) over HTTP unless --llm
names another. "Distinct goals" says as much about who names goals as about who learns: compare `of_the_tree` as well.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

ARMS = ("techtree", "lma3", "uniform")
PORT = 8432


def main() -> None:
    from jarvis.app.curriculum.backends import backend
    from jarvis.app.curriculum.book import Book
    from jarvis.app.curriculum.llm import parse_llm
    from jarvis.app.curriculum.loop import LearnConfig, learn
    from jarvis.app.curriculum.scripted import ScriptedLLM

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--candidates", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--llm", default="")
    options = parser.parse_args()
    with ScriptedLLM("good", PORT) as server:
        for seed in range(options.seeds):
            for arm in options.arms.split(","):
                folder = options.out / f"{arm}_{seed}"
                model = (options.llm or f"{server.url}#{server.model}") if arm == "lma3" else "none"
                asked = LearnConfig(
                    env="voxel", curriculum=arm, seed=seed, steps=options.steps, cycles=3, last=0.25,
                    candidates=options.candidates, llm=parse_llm(model),
                    ppo={"rows": 8, "length": 64, "workers": 0, "batches": 4},
                )  # fmt: skip
                cpu = time.process_time()
                if not (folder / "done").exists():
                    learn(asked, folder, print)
                place = backend("voxel")
                book = Book(folder, place).replay()
                tree = {node.goal.id for node in place.tree.values()}
                print(
                    json.dumps({
                        "arm": arm, "seed": seed, "cpu_seconds": round(time.process_time() - cpu, 1),
                        "evaluations": [
                            {"ticks": entry["steps"], "goals": entry["goals"], "mastered": len(entry["mastered"]),
                             "of_the_tree": len(tree & set(entry["mastered"]))}
                            for entry in book.history
                        ],
                        "mastered": [book.stats[key].goal.text for key in book.mastered],
                        "reached_in_practice": sum(1 for stats in book.stats.values() if stats.reached),
                        "relabelled": len(book.segments),
                    }),
                    flush=True,
                )  # fmt: skip


if __name__ == "__main__":
    main()
