"""Teach a hand (vla/hand.py): screens laid out at random, the cursor anywhere, and what the teacher would do there.

    python -m jarvis.app.learners.hands --out FOLDER/hand.safetensors --width 252 --height 140 --seconds 1500

A hand sees one tick and remembers nothing, so nobody need play: each example is a screen of its own, in half of them
with the cursor near the slot that is asked for. Any slot may be asked for, whatever lies there.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import typer
from torch.nn.functional import cross_entropy

from evaluation.seeds import SPLITS
from jarvis.app.learners.screen_lessons import RESULT, TASK, lay_out, stations
from jarvis.app.learners.teacher import Teacher
from jarvis.app.planner.slots import CLOSE, DROP, OUTPUT, WAIT, Directive, click, swap
from jarvis.core.random_streams import generator
from jarvis.envs.voxel import VoxelEnv
from jarvis.training import Average
from jarvis.world.menus import LAYOUTS
from vla.hand import Hand, classes

BATCH, RATE, WARMUP, DECAY = 64, 1e-3, 200, 0.998
MEMORY = 30_000  # pictures
FRESH = 32  # of them that are new at each step
SPREAD = 14.0  # pixels from the slot to a cursor that is near it
WORLD = 400  # examples before another world
Out = typer.Option(..., "--out", help="The file that is written.")


class Example(NamedTuple):
    """A screen, what is asked for and what is right."""

    frame: np.ndarray  # (height, width, 3) uint8
    text: str
    answer: tuple[int, int, int]  # see vla.hand.classes
    cursor: tuple[float, float]  # x and y in halves of the picture, from -1 to 1


def examples(seed: int, number: int, width: int, height: int) -> Iterator[Example]:
    """Endless examples, in worlds of the training split. number: of this sequence among those of the seed."""
    env, teacher, random = VoxelEnv(width=width, height=height), Teacher(0), generator(seed, "hands", number)
    while True:
        env.reset(TASK, int(random.integers(*SPLITS["train"])))
        world, cells = env.world, stations(env.world)
        for _ in range(WORLD):
            lay_out(world, cells, random)
            directive = _asked(world, random)
            _place_cursor(world, directive, random)
            screen = world.screen
            cursor = screen.cursor_x / 320.0 - 1.0, screen.cursor_y / 180.0 - 1.0
            yield Example(env.picture(), directive.text, classes(teacher.show(world, directive)), cursor)


def _asked(world: Any, random: np.random.Generator) -> Directive:
    """Something to do: mostly to click a slot, often the one in which lies what was made."""
    chance = random.random()
    if chance < 0.1:
        return WAIT if chance < 0.04 else CLOSE if chance < 0.07 else DROP
    layout = LAYOUTS[world.screen.kind]
    own = 5 if world.screen.kind == "player" else layout.main
    made = OUTPUT if world.screen.kind == "furnace" else RESULT
    groups = (range(own), range(layout.main, layout.hotbar), range(layout.hotbar, layout.hotbar + 9), (made,))
    slot = int(random.choice(groups[int(random.choice(4, p=(0.3, 0.3, 0.25, 0.15)))]))
    if random.random() < 0.2 and slot != made:
        return swap(world, slot, int(random.integers(9)))
    shift = 0.7 if slot == made else 0.2
    return click(world, slot, str(random.choice(("shift", "left", "right"), p=(shift, 0.8 - shift, 0.2))))


def _place_cursor(world: Any, directive: Directive, random: np.random.Generator) -> None:
    """Anywhere, near what is asked for, or in the middle, where it is when a screen opens."""
    screen, layout = world.screen, LAYOUTS[world.screen.kind]
    chance = random.random()
    if directive.kind in ("click", "swap") and chance < 0.5:
        x, y = layout.centre(directive.slot) + random.normal(0.0, SPREAD, 2)
    elif chance < 0.85:
        x = layout.left + random.uniform(-0.2, 1.2) * layout.width
        y = layout.top + random.uniform(-0.1, 1.1) * layout.height
    elif chance < 0.95:
        x, y = random.uniform(0.0, 640.0), random.uniform(0.0, 360.0)
    else:
        x, y = 320.0, 180.0
    screen.cursor_x, screen.cursor_y = float(np.clip(x, 0.0, 639.0)), float(np.clip(y, 0.0, 359.0))


def _cells(cursors: np.ndarray, rows: int, columns: int) -> torch.Tensor:
    """(B, rows x columns): shares of the four cells about each cursor (B, 2), whose mean is where it is."""
    places = (cursors + 1.0) / 2.0 * (columns - 1, rows - 1)
    x, y = (
        torch.relu(1.0 - (torch.arange(count) - torch.from_numpy(place)[:, None]).abs())
        for count, place in zip((columns, rows), places.T, strict=True)
    )
    return (y[:, :, None] * x[:, None, :]).flatten(1).float()


def _draw(seed: int, number: int, width: int, height: int, queue: Any) -> None:
    torch.set_num_threads(1)
    for example in examples(seed, number, width, height):
        queue.put(example)


def main(
    out: Path = Out,
    width: int = 252,
    height: int = 140,
    seconds: float = 1500.0,
    workers: int = typer.Option(1, "--workers", help="Processes that draw; this one learns."),
    seed: int = 0,
    resume: bool = typer.Option(False, "--resume", help="Begin with the weights that --out holds."),
) -> None:
    """Learn, and write the average of the weights now and then."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    hand = Hand.load(out).train() if resume else Hand(width, height)
    average = Average(hand, DECAY)

    def save() -> None:
        average.swap(hand)
        hand.save(out)
        average.swap(hand)

    adam = torch.optim.AdamW(hand.parameters(), lr=RATE, weight_decay=1e-4)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(256)
    drawers = [
        context.Process(target=_draw, args=(seed, number, width, height, queue), daemon=True)
        for number in range(workers)
    ]
    for drawer in drawers:
        drawer.start()
    frames = np.zeros((MEMORY, height, width, 3), np.uint8)
    texts: list[str] = [""] * MEMORY
    answers, cursors = np.zeros((MEMORY, 3), np.int64), np.zeros((MEMORY, 2), np.float32)
    random, added, step, seen = np.random.default_rng(seed), 0, 0, []
    begun = said = time.monotonic()
    while (share := (time.monotonic() - begun) / seconds) < 1.0:
        for _ in range(FRESH if step else BATCH):
            slot = added % MEMORY
            frames[slot], texts[slot], answers[slot], cursors[slot] = queue.get()
            added += 1
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (0.02 + 0.49 * (1.0 + np.cos(np.pi * share)))
        numbers = random.integers(0, min(added, MEMORY), BATCH)
        *logits, where = hand(torch.from_numpy(frames[numbers]), [texts[number] for number in numbers])
        right = torch.from_numpy(answers[numbers])
        told = torch.stack([cross_entropy(part, right[:, number]) for number, part in enumerate(logits)]).sum()
        pointed = cross_entropy(where.flatten(1), _cells(cursors[numbers], *where.shape[1:]))
        (told + pointed).backward()
        torch.nn.utils.clip_grad_norm_(hand.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        step += 1
        average.update(hand)
        seen.append((told.item(), pointed.item()))
        if time.monotonic() - said > 30.0:
            said = time.monotonic()
            save()
            loss, cursor = np.mean(seen[-200:], 0)
            typer.echo(f"step {step}: loss {loss:.3f}, of the cursor {cursor:.3f}, {added} screens")
    save()
    for drawer in drawers:
        drawer.kill()


if __name__ == "__main__":
    typer.run(main)
