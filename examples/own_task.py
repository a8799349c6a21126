"""A task of one's own, and the scripted player at it: ``python examples/own_task.py``.

A goal is a sentence for the policy and a condition over what happens; the condition decides, nothing else does.
"""

import jarvis
from jarvis.core.goals import Goal
from jarvis.core.predicates import Count
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

TASK = Task(
    name="sticks_in_the_forest",
    goal=Goal("make four sticks", Count("craft_item", "stick", 4)),
    start=StartState(biome="forest", time=3000, weather="clear", inventory={"oak_log": 1}),
    max_ticks=1200,
    milestones={"planks": Count("craft_item", "oak_planks")},
)


def main(seed: int = 3) -> dict:
    """Play it once; returns what was reached."""
    env = jarvis.make("voxel", task=TASK, width=128, height=128)
    policy = jarvis.load_policy("scripted")
    policy.reset([TASK.goal], seeds=[seed])
    observation, info = env.reset(TASK, seed)
    policy.follow(0, env)  # this player reads the world; one that looks at pictures needs no such thing
    while True:
        (action,) = policy.act([observation])
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            break
    print("success" if info["success"] else "failure", "after", info["tick"], "ticks;", info["milestones"])
    env.close()
    return info


if __name__ == "__main__":
    main()
