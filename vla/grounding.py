"""Stage II: captions, recognition and pointing, from pictures of the voxel world whose truth is known.

    for sample in grounding_samples(tasks, pictures=2000, seed=0): writer.add(sample)

The scripted player plays; every few ticks a picture is kept with what is true of it: what is under the crosshair, how
much of what is in the hotbar, where in the picture a thing is. A point is spelled as in JARVIS-VLA, on a grid of 0 to
990 each way: <|object_ref_start|>oak log<|object_ref_end|><|point_start|>(512,340)<|point_end|>.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.random_streams import generator, stream_seed
from vla.prompts import IMAGE, Turn
from vla.questions import words
from vla.samples import Sample, encoded

if TYPE_CHECKING:
    from jarvis.core.tasks import Task
    from jarvis.envs.sights import Sight, Spot

__all__ = ["caption", "grounding_samples", "point", "questions_of"]

TRAIN_SEEDS = 1 << 29
EVERY = 12  # ticks between pictures


def point(spot: Spot) -> str:
    """Where a thing is, as tokens and digits."""
    x, y = (min(990, int(1000 * share)) for share in (spot.x, spot.y))
    return f"<|object_ref_start|>{words(spot.name)}<|object_ref_end|><|point_start|>({x},{y})<|point_end|>"


def caption(sight: Sight) -> str:
    """What a person would say about the picture."""
    held, count = sight.hotbar[sight.selected - 1]
    parts = [f"You hold {count} {words(held)}." if held else "Your hand is empty."]
    if sight.screen:
        return f"A screen is open. {parts[0]}"
    parts.append(f"You are in a {words(sight.biome)} by {'day' if sight.is_day else 'night'}.")
    if sight.crosshair:
        parts.append(f"The crosshair is on {words(sight.crosshair)}.")
    near = sorted(sight.spots, key=lambda spot: spot.distance)[:4]
    if near:
        parts.append(f"There is {', '.join(words(spot.name) for spot in near)}.")
    return " ".join(parts)


def questions_of(sight: Sight, random: np.random.Generator) -> list[tuple[str, str, str]]:
    """(question, answer, topic) of one picture; which of the many is drawn."""
    asked = [("Describe what you see.", caption(sight), "caption")]
    asked.append(("Is a screen open?", "Yes." if sight.screen else "No.", "recognition"))
    slot = int(random.integers(1, 10))
    item, count = sight.hotbar[slot - 1]
    asked.append(
        (f"What is in slot {slot} of the hotbar?", f"{count} {words(item)}." if item else "Nothing.", "hotbar")
    )
    asked.append(("Which slot of the hotbar is selected?", f"{sight.selected}.", "hotbar"))
    carried = sorted({name for name, _ in sight.hotbar if name})
    if carried:
        name = carried[int(random.integers(len(carried)))]
        total = sum(number for other, number in sight.hotbar if other == name)
        asked.append((f"How many {words(name)} are in the hotbar?", f"{total}.", "hotbar"))
    if not sight.screen:
        under = words(sight.crosshair) if sight.crosshair else "nothing in reach"
        asked.append(("What is under the crosshair?", f"{under}.", "recognition"))
        asked.append(("Is it day or night?", "Day." if sight.is_day else "Night.", "recognition"))
        asked.append(("How many hearts do you have?", f"{sight.health / 2:g}.", "recognition"))
        if sight.spots:
            spot = sight.spots[int(random.integers(len(sight.spots)))]
            asked.append((f"Point to the nearest {words(spot.name)}.", f"{point(spot)}", "pointing"))
    return asked


def grounding_samples(
    tasks: Sequence[Task], pictures: int, seed: int, *, width: int = 640, height: int = 360, each: int = 3
) -> Iterator[Sample]:
    """`each` questions about each of so many pictures. The same arguments give the same samples.

    tasks: what is played, in turn, on worlds of the training seeds.
    """
    from jarvis.envs.scripted import Habits, ScriptedPlayer
    from jarvis.envs.sights import look
    from jarvis.envs.voxel import VoxelEnv

    env = VoxelEnv(width=width, height=height)
    made = episode = 0
    try:
        while made < pictures:
            task = tasks[episode % len(tasks)]
            world = stream_seed(seed, "grounding", episode) % TRAIN_SEEDS
            random = generator(seed, "grounding questions", episode)
            observation, _ = env.reset(task, world)
            player = ScriptedPlayer(task, world, Habits.human())
            for tick in range(min(task.max_ticks, 400)):
                if tick % EVERY == EVERY // 2:
                    sight, picture = look(env), encoded(observation.pov)
                    asked = questions_of(sight, random)
                    for number in random.permutation(len(asked))[:each]:
                        question, answer, topic = asked[number]
                        turns = (Turn("user", (f"{question}\n", IMAGE)), Turn("assistant", (f"{answer}\n",)))
                        labels = ("stage:vision", f"topic:{topic}", f"task:{task.name}")
                        yield Sample(f"sight-{seed}-{made:06d}-{number}", turns, (picture,), labels)
                    made += 1
                    if made == pictures:
                        return
                step = env.step(player.act(env.world))
                observation = step.observation
                if step.terminated or step.truncated:
                    break
            episode += 1
    finally:
        env.close()
