"""Refine an agent on two cores, without a GPU: its language part alone learns, from pictures that are seen once.

    python -m jarvis.app.learners.refine collect --agent FOLDER --memory DIR --seconds 2400 --task 'rung_*' &
    python -m jarvis.app.learners.refine learn   --agent FOLDER --memory DIR --seconds 2300
    python -m jarvis.app.learners.refine write   --agent FOLDER --memory DIR --out runs/refined --share 0.5

`collect` plays lessons as `jarvis train agent` does (DAgger, the pupil at first not at all, then in up to 70 % of the
ticks) and keeps what the vision tower made of each picture, 46 KB; `learn` draws from these, on one core, five times as
many examples a second as with the tower, and leaves its weights where `collect` takes them up. Two processes,
so that no run is like another.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer

SHARES = {  # of what is drawn, by what follows the comma or else by the kind: what is rare is to be learnt too
    "gather": 0.2, "dig": 0.08, "look around": 0.08, "look down": 0.08, "straight down": 0.16, "tunnel": 0.1,
    "climb": 0.05, "kill": 0.05, "click": 0.12, "else": 0.08,
}  # fmt: skip
WIDTH = 96  # ids of an example, at most
CAPACITY = 60_000  # lessons
WORLDS = 4
LONGEST = 500  # ticks of an episode
PUPIL_MOST, PUPIL_SECONDS = 0.7, 400.0
STRETCH = (10, 41)  # ticks for which the same one plays
TEMPERATURE = 0.5
RATE, WARMUP, BATCH, DECAY = 3e-4, 50, 48, 0.995
SAVE_EVERY = 45.0  # seconds
WEIGHTS = "weights.safetensors"

app = typer.Typer(add_completion=False)
Agent = typer.Option(..., "--agent", help="A checkpoint folder.")
MemoryDir = typer.Option(..., "--memory", help="Where lessons are kept.")
Seconds = typer.Option(2400.0, "--seconds")
Tasks = typer.Option(..., "--task", help="NAME or NAME*; twice for more often.")
Out = typer.Option(..., "--out")


class _Memory:
    """Lessons in files that both processes map."""

    def __init__(self, folder: Path, layers: int, tokens: int, hidden: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        parts: dict[str, tuple[tuple[int, ...], Any]] = {
            "seen": ((CAPACITY, layers, tokens, hidden), np.float16), "ids": ((CAPACITY, WIDTH), np.int16),
            "positions": ((CAPACITY, 3, WIDTH), np.int16), "pictures": ((CAPACITY, WIDTH), np.int8),
            "targets": ((CAPACITY, WIDTH), np.int16), "kinds": ((CAPACITY,), np.int8), "added": ((1,), np.int64),
        }  # fmt: skip
        for name, (shape, kind) in parts.items():
            mode: Any = "r+" if (folder / name).exists() else "w+"
            setattr(self, name, np.memmap(folder / name, kind, mode, shape=shape))

    def __getattr__(self, name: str) -> np.ndarray:  # what __init__ sets
        raise AttributeError(name)

    def add(self, seen: list[np.ndarray], rendered: Any, kind: str) -> None:
        """One lesson, in place of the oldest."""
        count, slot = len(rendered.ids), int(self.added[0]) % CAPACITY
        if count > WIDTH:
            return
        self.seen[slot] = seen
        self.ids[slot], self.positions[slot], self.pictures[slot], self.targets[slot] = 0, 0, -1, -100
        self.ids[slot, :count], self.pictures[slot, :count] = rendered.ids, rendered.pictures
        self.positions[slot, :, :count] = rendered.positions
        self.targets[slot, : count - 1] = np.where(rendered.learnt[1:], rendered.ids[1:], -100)
        self.kinds[slot] = list(SHARES).index(kind if kind in SHARES else "else")
        self.added[0] += 1

    def draw(self, random: np.random.Generator, count: int, shares: dict[str, float]) -> np.ndarray:
        """Numbers of lessons: a kind by its share, then evenly."""
        kinds = np.asarray(self.kinds[: min(int(self.added[0]), CAPACITY)])
        weights = np.where(np.bincount(kinds, minlength=len(shares)), list(shares.values()), 0.0)
        drawn = random.multinomial(count, weights / weights.sum())
        return np.concatenate([random.choice(np.flatnonzero(kinds == k), n) for k, n in enumerate(drawn) if n])


def _begin(agent: Path, memory: Path) -> tuple[Any, _Memory]:
    import torch

    from vla.backbone import Backbone

    torch.set_num_threads(1)
    backbone = Backbone.load(agent)
    config = backbone.agent
    blank = torch.zeros((1, config.height, config.width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        stack = backbone.see_stack(blank)
    return backbone, _Memory(memory, 1 + len(stack.deep), *stack.tokens.shape[1:])


@app.command()
def collect(
    agent: Path = Agent,
    memory: Path = MemoryDir,
    seconds: float = Seconds,
    task: list[str] = Tasks,
    seed: int = 5,
) -> None:
    """Play lessons and keep them."""
    import torch
    from safetensors.torch import load_file

    from evaluation.tasks import get, matching
    from jarvis.app.learners.lessons import Lesson
    from jarvis.core.actions import Action
    from vla.backbone import Stack
    from vla.decoding import Speaker
    from vla.grammar import grammar_of

    backbone, kept = _begin(agent, memory)
    backbone.model.eval()
    config, style, tokenizer, codec = backbone.agent, backbone.style, backbone.tokenizer, backbone.codec()
    grid = backbone.pixels.grid(config.height, config.width)
    tasks = [get(name) for pattern in task for name in matching(pattern)]
    lessons = [
        Lesson(tasks, seed, row, width=config.width, height=config.height, longest=LONGEST) for row in range(WORLDS)
    ]
    speaker, random = Speaker(backbone, grammar_of(codec, 1)), np.random.default_rng(seed)
    randoms = [np.random.default_rng((seed, row)) for row in range(WORLDS)]
    said: list[list[int]] = [[] for _ in range(WORLDS)]
    left, pupil, loaded, begun = [0] * WORLDS, [False] * WORLDS, 0.0, time.monotonic()
    weights = memory / WEIGHTS
    while (passed := time.monotonic() - begun) < seconds:
        if weights.exists() and weights.stat().st_mtime != loaded:
            loaded = weights.stat().st_mtime
            backbone.model.load_state_dict(load_file(weights), strict=False)
        looks = [lesson.look() for lesson in lessons]
        for row in range(WORLDS):
            if left[row] == 0:
                left[row] = int(random.integers(*STRETCH))
                pupil[row] = bool(loaded and random.random() < min(PUPIL_MOST, passed / PUPIL_SECONDS))
            left[row] -= 1
        # NOTE: looking is what takes long; where nothing is to be learnt the teacher goes on
        shown = [row for row in range(WORLDS) if looks[row].keep]
        stack = None
        if shown:
            with torch.inference_mode():
                stack = backbone.see_stack(torch.from_numpy(np.stack([looks[row].frame for row in shown])))
        rows = [row for row in shown if pupil[row]]
        played: dict[int, Action] = {}
        if rows:
            turns = [style.render([style.first(looks[row].text)], tokenizer, [grid], reply=True) for row in rows]
            places = [shown.index(row) for row in rows]
            some = Stack(stack.tokens[places], tuple(layer[places] for layer in stack.deep), stack.grid)
            speaker.forget()
            replies = speaker.speak(turns, some, [randoms[row] for row in rows], TEMPERATURE, [said[r] for r in rows])
            for row, reply in zip(rows, replies, strict=True):
                said[row], played[row] = reply, Action.from_env(codec.decode(reply)[0])
        for place, row in enumerate(shown):
            look = looks[row]
            reply = style.reply(codec.encode(look.shown.to_env()))
            layers = [stack.tokens[place].numpy(), *(layer[place].numpy() for layer in stack.deep)]
            kind = look.text.partition(", ")[2] or ("click" if look.kind == "swap" else look.kind)
            kept.add(layers, style.render([style.first(look.text), reply], tokenizer, [grid]), kind)
        for row, lesson in enumerate(lessons):
            lesson.step(played.get(row))


@app.command()
def learn(
    agent: Path = Agent,
    memory: Path = MemoryDir,
    seconds: float = Seconds,
    after: int = typer.Option(2000, "--after", help="Lessons to wait for."),
) -> None:
    """Learn from what is kept, all but the vision tower."""
    import torch
    from safetensors.torch import save_file
    from torch.nn.functional import cross_entropy

    from vla.backbone import Stack

    backbone, kept = _begin(agent, memory)
    config = backbone.agent
    grid = backbone.pixels.grid(config.height, config.width)
    learnt = {name: p for name, p in backbone.model.named_parameters() if "visual." not in name}
    adam = torch.optim.AdamW(learnt.values(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    average = [parameter.detach().clone() for parameter in learnt.values()]
    random, losses, saved, step = np.random.default_rng(1), [], 0.0, 0

    def save() -> None:
        temporary = memory / f"{WEIGHTS}.new"
        save_file(dict(zip(learnt, average, strict=True)), temporary)
        os.replace(temporary, memory / WEIGHTS)

    while kept.added[0] < after:
        time.sleep(1.0)
    begun = time.monotonic()
    while (share := (time.monotonic() - begun) / seconds) < 1.0:
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (0.05 + 0.475 * (1.0 + np.cos(np.pi * share)))
        numbers = kept.draw(random, BATCH, SHARES)
        width = int((kept.ids[numbers] != 0).sum(1).max()) + 1
        seen = torch.from_numpy(np.asarray(kept.seen[numbers])).float()
        stack = Stack(seen[:, 0], tuple(seen[:, layer] for layer in range(1, seen.shape[1])), grid)
        ids, pictures, targets, positions = (
            torch.from_numpy(np.asarray(part[numbers][..., :width]).astype(np.int64))
            for part in (kept.ids, kept.pictures, kept.targets, kept.positions)
        )
        hidden = backbone.read(backbone.embed(ids, pictures, stack), positions.permute(1, 0, 2), None)
        asked = targets != -100
        loss = cross_entropy(backbone.logits(hidden[asked]).float(), targets[asked])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt.values(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        step += 1
        with torch.no_grad():
            share_kept = min(DECAY, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, [p.detach() for p in learnt.values()], 1.0 - share_kept)
        losses.append(loss.item())
        if time.monotonic() - saved > SAVE_EVERY:
            saved = time.monotonic()
            save()
            typer.echo(f"step {step}: loss {np.mean(losses[-60:]):.3f}, {int(kept.added[0])} lessons")
    save()


@app.command()
def write(agent: Path = Agent, memory: Path = MemoryDir, out: Path = Out, share: float = 0.5) -> None:
    """Write the agent, its weights so far on the way from what they were to what was learnt.

    Half-way keeps what the agent could do before (Wortsman et al. 2022, arXiv 2109.01903).
    """
    import torch
    from safetensors.torch import load_file

    from vla.backbone import Backbone

    backbone = Backbone.load(agent)
    with torch.no_grad():
        for name, learnt in load_file(memory / WEIGHTS).items():
            backbone.model.get_parameter(name).lerp_(learnt, share)
    backbone.save(out, dtype=torch.bfloat16, max_shard_size="16MB")
    typer.echo(str(out))


if __name__ == "__main__":
    app()
