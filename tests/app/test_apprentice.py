"""Learning at a teacher's side: what is remembered and drawn, a toy that is learnt, processes that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

from jarvis.app.learners import apprentice_worlds
from jarvis.app.learners.apprentice import RECIPES, Apprenticeship, apprentice, recipe
from jarvis.app.learners.apprentice_buffer import Memory, coloured
from jarvis.app.learners.apprentice_crew import Crew
from jarvis.app.learners.apprentice_worlds import RECORD, Board, Plan, Ring
from jarvis.core.actions import Action
from jarvis.core.errors import EnvironmentFailure
from jarvis.core.files import read_json, read_json_lines
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.tasks import Task
from jarvis.training import ConfigError

TASKS = [Task("toy", Goal("do as you are told"))]
WORDS = {"walk on": Action.of("forward"), "hit it": Action.of("attack")}
TINY = Apprenticeship(
    width=112, height=56, lesson="test_apprentice:Toy", seconds=None, steps=12, worlds=2, minimum=8, capacity=64,
    batch=8, log_every=4, pupil_after=0.2, stretch=(2, 4),
)  # fmt: skip


@dataclass
class Look:
    """What a lesson shows in one tick."""

    frame: np.ndarray
    text: str
    kind: str
    shown: Action
    point: tuple[int, int] | None
    keep: bool


class Toy:
    """Two instructions, in turn; the picture says nothing. An episode is four ticks, won if all are right."""

    def __init__(self, tasks, seed, number, *, width, height):
        self.random, self.size = np.random.default_rng(seed), (height, width, 3)
        self.tick, self.right, self.exam, self.told, self.task = 0, True, False, {}, tasks[0]

    def look(self):
        text = list(WORDS)[self.tick % 2]
        frame = np.full(self.size, self.random.integers(256), np.uint8)
        return Look(frame, text, text.split()[0], WORDS[text], (100, 990) if self.tick == 0 else None, True)

    def step(self, action):
        self.right &= action is None or action == WORDS[list(WORDS)[self.tick % 2]]
        self.tick += 1
        if self.tick == 4:
            old = self.told.get("toy", (0, 0, 0))
            self.told["toy"] = [old[0] + 1, old[1] + self.right, old[2] + 4]
            self.tick, self.right = 0, True

    def results(self):
        told, self.told = self.told, {}
        return told


class Fatal(Toy):
    """Cannot be looked at."""

    def look(self):
        raise RuntimeError("no light")


class Brittle(Toy):
    """Breaks off at its fifth look."""

    looks = 0

    def look(self):
        self.looks += 1
        if self.looks == 5:
            raise RuntimeError("no way there")
        return super().look()


@pytest.fixture(scope="module")
def backbone():
    from vla.backbone import tiny

    return tiny().with_agent(width=112, height=56)


def records_of(*looks):
    ring = Ring(np.zeros(2, np.int64), np.zeros(len(looks), RECORD), np.zeros((len(looks), 56, 112, 3), np.uint8))
    for look in looks:
        ring.put(look)
    return ring.records, ring.frames


def look(text="walk on", kind="walk", level=0, action=None, point=None):
    return Look(np.full((56, 112, 3), level, np.uint8), text, kind, action or WORDS["walk on"], point, True)


# -- what is remembered


def test_an_example_reads_as_the_model_was_to_be_spoken_to(backbone):
    memory = Memory(backbone, 4)
    memory.add(*records_of(look("walk on", level=7)))
    batch = memory.sample(3)
    style, grid = backbone.style, backbone.pixels.grid(56, 112)
    turns = [style.first("walk on"), style.reply(backbone.codec().encode(WORDS["walk on"]))]
    rendered = style.render(turns, backbone.tokenizer, [grid])
    count = len(rendered)
    assert batch.frames.shape == (3, 56, 112, 3)
    assert (batch.frames == 7).all()
    assert batch.ids[1, :count].tolist() == rendered.ids.tolist()
    assert batch.positions[:, 1, :count].tolist() == rendered.positions.tolist()
    assert batch.pictures[1, :count].tolist() == rendered.pictures.tolist()
    learnt = np.where(rendered.learnt, rendered.ids, -100)[1:].tolist()
    assert batch.targets[1, : count - 1].tolist() == learnt
    assert (batch.targets[1, count - 1 :] == -100).all()
    assert (batch.pictures[1, count:] == -1).all()


def test_a_point_is_a_second_lesson_of_the_same_picture(backbone):
    memory = Memory(backbone, 4, point_share=1.0, balance=0.0)
    memory.add(*records_of(look("hit the cow", "hit", level=9, point=(512, 340))))
    batch = memory.sample(32)
    said = {backbone.tokenizer.decode(row[row != -100]) for row in batch.targets}
    assert any("<|point_start|>(512,340)<|point_end|>" in words.replace(" ", "") for words in said)
    assert len(said) == 2
    read = {backbone.tokenizer.decode(row) for row in batch.ids}
    assert any("point: hit the cow" in words for words in read)
    assert (batch.frames == 9).all()
    memory.sample(32)
    assert memory.counts() == {"hit": 1, "point": 1}


def test_rare_words_are_drawn_by_the_root_of_their_count(backbone):
    memory = Memory(backbone, 200)
    memory.add(*records_of(*[look("walk on", "walk", level=1)] * 99, look("hit it", "hit", level=2)))
    batch = memory.sample(4000)
    share = (batch.frames[:, 0, 0, 0] == 2).float().mean().item()
    assert share == pytest.approx(1 / (1 + 99**0.5), abs=0.02)  # 0.091, where it is 0.01 of the lessons


def test_the_oldest_is_forgotten_when_there_is_no_room(backbone):
    memory = Memory(backbone, 4)
    memory.add(*records_of(*[look(level=number) for number in range(6)]))
    assert len(memory) == 4
    assert sorted(set(memory.sample(200).frames[:, 0, 0, 0].tolist())) == [2, 3, 4, 5]


def test_colours_change_by_picture_and_not_much():
    import torch

    frames = torch.full((64, 4, 4, 3), 100, dtype=torch.uint8)
    changed = coloured(frames, 0.15, torch.Generator().manual_seed(0))
    assert 84 <= changed.min() < 95 < 105 < changed.max() <= 115
    assert (changed[:, 0, 0] == changed[:, 3, 3]).all()


def test_a_ring_gives_in_order_what_was_put_and_refuses_long_words():
    ring = Ring(np.zeros(2, np.int64), np.zeros(3, RECORD), np.zeros((3, 56, 112, 3), np.uint8))
    given = []
    for number in range(7):
        ring.put(look(f"say {number}"))
        if number in (1, 4, 6):
            given.append([text for records, _ in ring.waiting() for text in records["text"].tolist()])
    assert given == [[b"say 0", b"say 1"], [b"say 2", b"say 3", b"say 4"], [b"say 5", b"say 6"]]
    with pytest.raises(ValueError, match="at most 240 fit"):
        ring.put(look("x" * 241))


def test_a_board_is_the_same_memory_for_all_who_map_it(tmp_path):
    mine = Board(tmp_path / "board", 2, 3, 4, 112, 56)
    other = Board(*mine.__reduce__()[1])
    mine.ask(4, look("hit it", level=3))
    assert other.asking().tolist() == [4]
    assert other.texts[4] == b"hit it"
    assert mine.answer_of(4) is None
    other.answer(np.array([4]), other.asked[[4]].copy(), [Action.of("jump", camera=(1, -2))])
    assert mine.answer_of(4) == Action.of("jump", camera=(1, -2))
    assert other.asking().tolist() == []


def test_a_gradient_that_is_no_number_changes_nothing():
    import torch

    from jarvis.app.learners.apprentice import _Learner
    from vla.backbone import tiny

    backbone = tiny().with_agent(width=112, height=56)
    memory, learner = Memory(backbone, 4), _Learner(backbone, replace(TINY, average=0.0))
    memory.add(*records_of(look()))
    batch = memory.sample(2)
    before = [parameter.clone() for parameter in backbone.model.parameters()]
    backbone.model.lm_head.register_forward_hook(lambda module, given, logits: logits * float("nan"))
    learner.step(batch, 0.0)
    assert all(map(torch.equal, before, backbone.model.parameters()))
    assert learner.facts()["skipped"] == 1


# -- who plays


def test_a_lesson_that_breaks_off_is_replaced_and_the_worker_with_too_many_ends(tmp_path):
    plan = Plan(tuple(task.to_json() for task in TASKS), "test_apprentice:Brittle", 1, 2, width=112, height=56)
    board = Board(tmp_path / "board", 1, 2, 512, 112, 56)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with pytest.raises(RuntimeError, match="no way there"):
        apprentice_worlds._work(board, plan, 0, theirs)
    assert board.counts["failed"][0] == apprentice_worlds.FAILURES + 1
    told = [ours.recv() for _ in range(apprentice_worlds.FAILURES)]
    assert all(kind == "failed" and "no way there" in text for kind, _, text in told)
    assert board.counts["kept"][0] >= 4 * apprentice_worlds.FAILURES


# -- a run


def test_recipes_are_whole_and_settings_are_checked():
    for name in RECIPES:
        assert recipe(name, {"steps": 5, "stretch": [3, 4]}).stretch == (3, 4)
    with pytest.raises(ConfigError, match="the run never ends"):
        recipe("tiny", {"seconds": None})
    with pytest.raises(ConfigError, match="did you mean workers"):
        recipe("tiny", {"worker": 2})


def test_a_toy_is_learnt_alike_twice_and_played(tmp_path):
    runs = []
    for name in ("one", "two"):
        fast = replace(TINY.optimizer, rate=2e-3, warmup=4)
        config = replace(TINY, steps=20, batch=6, optimizer=fast, average=0.8, point_share=0.0)
        trained = apprentice(config, TASKS, tmp_path / name, say=lambda line: None, device="cpu")
        lines = [line for line in read_json_lines(tmp_path / name / "log.jsonl") if "loss" in line]
        runs.append([(line["loss"], line["norm"], line["crew"]) for line in lines])
    assert runs[0] == runs[1]
    assert runs[0][-1][0] < 0.3 * runs[0][0][0]
    assert runs[0][-1][2]["pupil"] > 0
    from vla.policy import VlaPolicy

    policy = VlaPolicy(trained.folder, temperature=0.0, device="cpu")
    policy.reset([Goal("hit it"), Goal("walk on")])
    seen = Observation(np.full((56, 112, 3), 90, np.uint8))
    assert policy.act([seen, seen]) == [WORDS["hit it"], WORDS["walk on"]]
    with pytest.raises(FileExistsError, match="earlier run"):
        apprentice(TINY, TASKS, tmp_path / "one", say=print, device="cpu")


def test_the_program_teaches_in_the_voxel_world(tmp_path):
    from jarvis.app.cli import main

    settings = ["width=112", "height=56", "seconds=null", "steps=3", "workers=0", "worlds=2", "minimum=30", "batch=4",
                "exam_seconds=0.3", "half=true", "shard=4MB", "capacity=64", "pupil_after=0", "pupil_full=0",
                "pupil_most=1"]  # fmt: skip
    code = main([
        "train", "agent", "--task", "craft_oak_planks", "--out", str(tmp_path / "run"), "--device", "cpu", "--json",
        *(part for setting in settings for part in ("--set", setting)),
    ])  # fmt: skip
    assert code == 0
    [line] = [line for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "loss" in line]
    assert line["step"] == 3
    assert line["kinds"]["click"] > 0
    assert line["kinds"]["point"] > 0
    assert line["crew"]["pupil"] > 0
    assert read_json(tmp_path / "run" / "results.json")["total"]["unfinished"] == 2
    weights = list((tmp_path / "run" / "step_00000003").glob("model-*.safetensors"))
    assert len(weights) > 1
    assert 7e6 < sum(file.stat().st_size for file in weights) < 8e6  # 3.7 million numbers of two bytes


ASYNC = replace(TINY, steps=None, seconds=120.0, exam_seconds=1.5, workers=2, refresh_seconds=1.0)


@pytest.mark.slow
def test_a_crew_goes_on_without_a_worker_and_with_a_new_pupil(backbone):
    plan = Plan(tuple(task.to_json() for task in TASKS), TINY.lesson, 2, 2, (2, 4), 112, 56)
    memory, said = Memory(backbone, 64), []
    crew = Crew(plan, backbone, 0.7, said.append)
    crew.share = 1.0

    def until(condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, said
            crew.gather(memory)
            time.sleep(0.005)

    def kill(name):
        [process] = [child for child in multiprocessing.active_children() if child.name == name]
        os.kill(process.pid, signal.SIGKILL)

    try:
        until(lambda: crew.facts()["pupil"] > 10 and crew.facts()["workers"] == 2)
        kill("worlds 1")
        kill("pupil")
        until(lambda: len(said) == 2)
        assert set(said) == {
            "worlds 1 is gone, exit code -9; 1 go on", "the pupil is gone, exit code -9; it begins anew"
        }  # fmt: skip
        before = crew.facts()["answered"]
        until(lambda: crew.facts()["answered"] > before + 10)
        crew.publish(backbone)
        episodes, successes, ticks, unfinished = crew.exam(1.0)["toy"]
        assert 0 <= successes <= episodes
        assert ticks == 4 * episodes > 0
        assert unfinished == 2  # worlds of the worker that is left
        assert crew.facts()["died"] == 1
        assert memory.counts().keys() == {"walk", "hit"}
    finally:
        crew.close()
    assert not multiprocessing.active_children()
    assert not crew.folder.exists()


@pytest.mark.slow
def test_a_run_with_processes_learns_until_it_is_told_to_stop(tmp_path):
    def stop():
        log = tmp_path / "run" / "log.jsonl"
        while not (log.exists() and read_json_lines(log).values[-1]["step"] >= 12):
            time.sleep(0.1)
        for child in multiprocessing.active_children():  # as `timeout` does to all of a group
            os.kill(child.pid, signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    trained = apprentice(ASYNC, TASKS, tmp_path / "run", say=lambda line: None, device="cpu")
    assert trained.stopped
    assert trained.results is None
    assert trained.steps >= 12
    assert (trained.folder / "done").exists()
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_run_ends_with_an_exam(tmp_path):
    trained = apprentice(replace(ASYNC, steps=3), TASKS, tmp_path / "run", say=lambda line: None, device="cpu")
    results = read_json(tmp_path / "run" / "results.json")
    assert results == read_json(trained.folder / "results.json") == trained.results
    toy = results["tasks"]["toy"]
    assert toy["episodes"] > 0
    assert toy["rate"][1] <= toy["rate"][0] <= toy["rate"][2]
    assert "| toy |" in (trained.folder / "card.md").read_text()


@pytest.mark.slow
def test_when_the_last_worker_dies_the_run_says_why_and_keeps_what_it_has(tmp_path):
    with pytest.raises(EnvironmentFailure, match=r"all 2 workers.*\n(.*\n)*RuntimeError: no light"):
        apprentice(replace(ASYNC, lesson="test_apprentice:Fatal"), TASKS, tmp_path / "run", say=print, device="cpu")
    assert list((tmp_path / "run").glob("step_*/done"))
