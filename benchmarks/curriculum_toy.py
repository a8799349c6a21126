"""Selectors against the toy student: how many of 22 skills, among goals that teach nothing. One CPU-minute.

python benchmarks/curriculum_toy.py --seeds 12
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from jarvis.app.curriculum.selectors import SELECTORS, make_selector
from jarvis.app.curriculum.toy import ToyStudent, study
from jarvis.core.random_streams import generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--attempts", type=int, default=12000)
    options = parser.parse_args()
    for useless in (0, 20):
        for name in SELECTORS:
            runs = []
            for seed in range(options.seeds):
                student = ToyStudent(generator(seed, "toy"), useless)
                runs.append(study(make_selector(name, student.parents), student, seed, options.attempts))
            mastered = np.array([run["mastered"] for run in runs])
            draws = generator(0, "bootstrap").choice(mastered, (10000, len(mastered))).mean(1)
            print(
                json.dumps(
                    {
                        "selector": name,
                        "useless_goals": 3 * useless,
                        "attempts": options.attempts,
                        "seeds": options.seeds,
                        "mastered_of_22": round(float(mastered.mean()), 2),
                        "interval": np.percentile(draws, (2.5, 97.5)).round(2).tolist(),
                        "worst": int(mastered.min()),
                        "useless_share": round(float(np.mean([run["useless_share"] for run in runs])), 3),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
