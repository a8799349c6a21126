"""The voxel world as a Gymnasium environment, with MineRL's own keys: ``python examples/gymnasium_loop.py``."""

import gymnasium


def main(ticks: int = 200) -> dict:
    """Walk forward and look around; returns the last info."""
    env = gymnasium.make("jarvis.envs:jarvis/Voxel-v0", width=128, height=128)
    observation, info = env.reset(seed=7)
    for tick in range(ticks):
        action = {name: 0 for name in env.action_space if name != "camera"}
        action |= {"forward": 1, "jump": int(tick % 20 == 0), "camera": [0.0, 1.5]}
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            break
    print(observation["pov"].shape, info["location_stats"], info["inventory"])
    env.close()
    return info


if __name__ == "__main__":
    main()
