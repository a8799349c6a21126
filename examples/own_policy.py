"""A policy of one's own, judged by a suite with intervals: ``python examples/own_policy.py``."""

import sys
from collections.abc import Sequence

import numpy as np

from evaluation.runs import evaluate
from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation


class Seeker:
    """Walks towards the darkest third of the picture, hitting whatever is there. Rows are episodes side by side."""

    def reset(
        self, goals: Sequence[Goal | None], *, rows: Sequence[int] | None = None, seeds: Sequence[int] | None = None
    ) -> None:
        """It remembers nothing."""

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row."""
        return [self._choose(observation.pov) for observation in observations]

    def _choose(self, pov: np.ndarray) -> Action:
        thirds = [part.mean() for part in np.array_split(pov, 3, axis=1)]
        turn = 4.0 * (int(np.argmin(thirds)) - 1)
        return Action.of("forward", "attack", *(["jump"] if turn == 0 else []), camera=(0.0, turn))


def main(out: str, episodes_each: int = 4) -> dict:
    """Play the smoke suite on its validation worlds; returns the summary that report.html shows."""
    summary = evaluate(
        "smoke",
        Seeker(),
        out,
        policy_name="seeker",
        split="validation",
        episodes_each=episodes_each,
        env_options={"width": 128, "height": 128},
        videos=False,
    )
    print(f"{out}/report.html")
    return summary


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/seeker")
