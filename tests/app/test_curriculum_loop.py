from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jarvis.app.cli import main
from jarvis.app.curriculum import loop
from jarvis.app.curriculum.book import Book, BookError
from jarvis.app.curriculum.loop import LearnConfig, Phase, learn, phases
from jarvis.app.curriculum.page import write_page
from jarvis.core.errors import MissingExtraError, UnknownNameError
from jarvis.core.goals import Goal, parse
from jarvis.core.random_streams import stream_seed
from jarvis.core.tasks import Task

pytest.importorskip("crafter", reason=str(MissingExtraError("crafter", "The Crafter environment")))
pytest.importorskip("openai", reason=str(MissingExtraError("llm", "A language model")))

from jarvis.app.curriculum.backends import backend
from jarvis.app.curriculum.llm import Budget, LLMConfig
from jarvis.app.curriculum.scripted import ScriptedLLM
from jarvis.app.learners.controls import controls_of
from jarvis.app.learners.ppo import PPO, PPOConfig, Turn
from jarvis.app.learners.rows import Rows

ROOT = Path(__file__).parents[2]
TINY = {"rows": 2, "length": 16, "workers": 0, "batches": 1, "epochs": 1, "network": {"width": 32}}
WOOD = backend("crafter").tree["collect_wood"].goal
PLAY = Task("play", Goal("play"), max_ticks=40)


def small(**changes):
    asked = {"env": "crafter", "steps": 192, "cycles": 2, "evaluations": 1, "ppo": TINY, **changes}
    return LearnConfig(**asked)


# -- the learner


def improve(learner, times, told):
    count = [learner.updates * 100]

    def assign(row):
        count[0] += 1
        return Turn(PLAY, stream_seed(0, "test", count[0]) % 2**20, [WOOD], count[0])

    return [
        learner.improve(assign, lambda note, seed, outcome: told.append((note, seed, outcome.ticks)))
        for _ in range(times)
    ]


def test_four_updates_are_two_and_two_more(tmp_path):
    config = PPOConfig(**{**TINY, "network": loop_network(), "length": 15})
    whole, told = PPO(controls_of("crafter"), config, tmp_path / "whole"), []
    improve(whole, 2, told)
    begun = len(told)
    improve(whole, 2, told)
    half, early = PPO(controls_of("crafter"), config, tmp_path / "half"), []
    improve(half, 2, early)
    half.save()
    again, late = PPO(controls_of("crafter"), config, tmp_path / "half"), []
    assert again.resume() and again.steps == 60
    improve(again, 2, late)  # its unfinished episodes were played up to where they were
    assert early + late == told and len(early) == begun and again.policy_hash() == whole.policy_hash()


def loop_network():
    from jarvis.app.learners.networks import NetworkConfig

    return NetworkConfig(width=32)


@pytest.mark.slow
def test_rows_play_the_same_in_workers_and_here():
    controls = controls_of("crafter")
    seen = []
    for workers in (0, 2):
        with Rows(controls, 2, workers) as rows:
            for row in range(2):
                rows.begin(row, PLAY, 5 + row, [WOOD])
            told = []
            for step in range(45):
                for group in range(rows.groups):
                    rows.send(group, np.full(rows.each, (step + group) % 6 if workers else step % 6))
                for group in range(rows.groups):
                    _, ended = rows.receive(group)
                    told += [(row, outcome.ticks, outcome.evidence) for row, outcome in ended.items()]
                    for row in ended:
                        rows.begin(row, PLAY, 9, [WOOD])
            seen.append((told[:1], rows.seen(0)[0].copy()))
    assert seen[0][0] == seen[1][0] and (seen[0][1] == seen[1][1]).all()
    assert seen[0][0][0][1] <= 40


def test_cells_are_what_the_picture_shows():
    from jarvis.envs.crafter import CrafterEnv

    drawn, undrawn = CrafterEnv(), CrafterEnv(drawn=False)
    for env in (drawn, undrawn):
        env.reset(PLAY, 3)
    for action in (1, 1, 3, 5, 6, 2):
        one, two = drawn.step(action), undrawn.step(action)
        assert one.info == two.info and (drawn.cells() == undrawn.cells()).all() and not two.observation.pov.any()
    cells = undrawn.cells()
    assert cells.shape == (144,) and cells[63 + 4 * 7 + 3] in range(1, 6)  # the player stands in the middle
    assert cells[-18:-14].tolist() == list(undrawn._game._player.inventory.values())[:4]


# -- the circle


def test_a_run_is_a_list_of_phases():
    assert phases(LearnConfig(env="crafter", steps=800, cycles=2, last=0.5, generated=0.5)) == [
        Phase("propose", 0, 0), Phase("generated", 0, 100), Phase("original", 0, 200), Phase("evaluate", 0, 200),
        Phase("propose", 1, 200), Phase("generated", 1, 300), Phase("original", 1, 400), Phase("evaluate", 1, 400),
        Phase("original", 2, 800), Phase("evaluate", 2, 800),
    ]  # fmt: skip
    assert phases(LearnConfig(steps=800, budget=Budget(steps=80)))[-1].until == 80
    with pytest.raises(UnknownNameError, match="did you mean techtree"):
        LearnConfig(curriculum="techtre")


class Killed(BaseException):
    pass


def killed_run(monkeypatch, config, folder, after):
    """Runs until so many updates were made, then dies without a word."""
    improve_once, left = PPO.improve, [after]

    def improve_or_die(self, *arguments):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return improve_once(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PPO, "improve", improve_or_die)
        patch.setattr(loop, "CHECKPOINT_EVERY", 2)
        with pytest.raises(Killed):
            learn(config, folder)


def test_a_killed_run_ends_with_the_same_book_and_the_model_is_not_asked_twice(tmp_path, monkeypatch):
    with ScriptedLLM("good") as server:
        config = small(curriculum="envgen", cycles=1, llm=LLMConfig("live", url=server.url, model=server.model))
        whole = learn(config, tmp_path / "whole")
        asked = len(server.requests)
        killed_run(monkeypatch, config, tmp_path / "killed", after=0)  # before anything was played
        killed_run(monkeypatch, config, tmp_path / "killed", after=3)
        lines = (tmp_path / "killed/log.jsonl").read_bytes()
        (tmp_path / "killed/log.jsonl").write_bytes(lines + lines[:40])  # it was writing when it died
        killed_run(monkeypatch, config, tmp_path / "killed", after=1)
        resumed = learn(config, tmp_path / "killed")
    assert asked == 1 and len(server.requests) == 2 * asked
    assert resumed["book"] == whole["book"] and resumed["lines"] == whole["lines"]
    assert (tmp_path / "killed/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()
    # Without the server, from the transcript alone:
    transcript = tmp_path / "whole/llm/transcript.jsonl"
    replayed = learn(
        small(curriculum="envgen", cycles=1, llm=LLMConfig("replay", transcript=str(transcript))), tmp_path / "replay"
    )
    assert replayed["book"] == whole["book"]
    page = (tmp_path / "whole/page.html").read_text()
    assert "envgen in crafter" in page and "one step before" in page and "http://" not in page


@pytest.mark.parametrize("curriculum", ["fixed", "random"])
def test_later_cycles_follow_from_earlier_ones_after_a_kill(tmp_path, monkeypatch, curriculum):
    with ScriptedLLM("formats") as server:  # the first layout is a good one, the others need mending
        config = small(
            curriculum=curriculum, steps=128, last=0.0, llm=LLMConfig("live", url=server.url, model=server.model)
        )
        whole = learn(config, tmp_path / "whole")
        killed_run(monkeypatch, config, tmp_path / "killed", after=3)
        server.requests.clear()
        assert learn(config, tmp_path / "killed")["book"] == whole["book"] and not server.requests


def test_what_became_another_run_is_refused(tmp_path):
    learn(small(curriculum="none", steps=32, cycles=1), tmp_path / "a")
    with pytest.raises(FileExistsError, match="already finished"):
        learn(small(curriculum="none", steps=32, cycles=1), tmp_path / "a")
    (tmp_path / "a/done").unlink()
    with pytest.raises(FileExistsError, match="another, unfinished run"):
        learn(small(curriculum="none", steps=33, cycles=1), tmp_path / "a")
    with loop._alone(tmp_path / "a"), pytest.raises(FileExistsError, match="another program is at work"):
        learn(small(curriculum="none", steps=32, cycles=1), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        learn(small(curriculum="none"), tmp_path / "b")
    log = tmp_path / "a/log.jsonl"
    log.write_text(
        log.read_text().replace('"pickup","wood"', '"pickup","diamond"', 1).replace("collect wood", "collect", 1)
    )
    with pytest.raises(BookError, match="was changed"):
        learn(small(curriculum="none", steps=32, cycles=1), tmp_path / "a")


def test_the_page_shows_what_others_wrote_as_text(tmp_path):
    folder = tmp_path / "run"
    learn(small(curriculum="none", steps=32, cycles=1), folder)
    book = Book(folder, backend("crafter")).replay()
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    book.reject("goal", "names", evil, evil, "llm")
    wood3 = parse({"count": {"event": "pickup", "item": "wood", "at_least": 3}})
    assert book.admit(Goal(evil, wood3, "crafter")) is None
    book.close()
    page = write_page(folder).read_text()
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page and "Refused" in page


def test_from_the_command_line(tmp_path, capsys):
    settings = [part for key in ("rows=2", "length=16", "workers=0", "batches=1", "epochs=1")
                for part in ("--set", f"ppo.{key}")]  # fmt: skip
    asked = ["learn", "--env", "crafter", "--curriculum", "techtree", "--steps", "64", "--cycles", "1", "--evaluations",
             "1", "--out", str(tmp_path / "run"), "--json", *settings]  # fmt: skip
    assert main(asked) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["goals"] == 22 and outcome["steps"] == 64 and (tmp_path / "run/page.html").is_file()
    assert main(asked) == 2 and "already finished" in capsys.readouterr().err
    for wrong, message in (
        (["--llm", "gpt"], "expected none, replay:FILE"), (["--budget", "2pounds"], "expected for instance"),
        (["--curriculum", "xyz"], "unknown curriculum"), (["--set", "model.heat=1"], "heat"),
    ):  # fmt: skip
        assert main(["learn", "--env", "crafter", "--out", str(tmp_path / "no"), *wrong]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_kill_at_any_moment(tmp_path):
    command = [sys.executable, "-m", "jarvis", "learn", "--env", "crafter", "--curriculum", "techtree", "--steps",
               "4096", "--cycles", "2", "--evaluations", "2", "--set", "ppo.rows=4", "--set", "ppo.length=32",
               "--set", "ppo.workers=2", "--json"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = subprocess.run([*command, "--out", tmp_path / "whole"], cwd=ROOT, env=environment, capture_output=True)
    seconds = 8.0
    for _ in range(12):
        process = subprocess.Popen([*command, "--out", tmp_path / "killed"], cwd=ROOT, env=environment,
                                   stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
        try:
            out, _ = process.communicate(timeout=seconds)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            seconds += 4
            time.sleep(0.1)
    assert json.loads(out)["book"] == json.loads(whole.stdout)["book"]
    shutil.rmtree(tmp_path)


TRAINER = """
import pathlib, sys
from vla.samples import Samples
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
data = [sys.argv[at + 1] for at, word in enumerate(sys.argv) if word == "--data"]
samples = Samples(data)
out.mkdir(parents=True)
(out / "trained.txt").write_text(f"{len(data)} {len(samples)} {samples[0].turns[0].parts[0]}")
"""


@pytest.mark.slow
def test_any_policy_is_improved_by_its_own_successes(tmp_path):
    (tmp_path / "trainer.py").write_text(TRAINER)
    expert = {
        "episodes": 4, "width": 64, "height": 36, "spec": "random",
        "train": f"{sys.executable} {tmp_path}/trainer.py {{data}} --model {{model}} --out {{out}}",
    }  # fmt: skip
    config = LearnConfig(
        env="voxel", curriculum="techtree", steps=2400, cycles=1, last=0.0, evaluations=1, candidates=1,
        policy="random", expert=expert,
    )  # fmt: skip
    outcome = learn(config, tmp_path / "run")
    rounds = sorted((tmp_path / "run/policy/rounds").glob("*/model/trained.txt"))
    assert outcome["steps"] >= 2400 and rounds  # somebody dug some dirt
    data, samples, words = rounds[-1].read_text().split(" ", 2)
    assert int(data) == min(4, len(rounds)) and int(samples) > 10 and words.startswith(("mine", "kill"))
    kept = [line for line in Book(tmp_path / "run", backend("voxel")).replay().stats.values() if line.reached]
    assert kept


@pytest.mark.parametrize("script, false", [("good", 0), ("liar", 4)])
def test_what_a_model_says_was_achieved_is_looked_up(tmp_path, monkeypatch, script, false):
    from jarvis.app.curriculum.lessons import Episode

    monkeypatch.setattr(loop, "NOVEL", 1)
    with ScriptedLLM(script) as server:
        llm = LLMConfig("live", url=server.url, model=server.model)
        run = loop._Run(LearnConfig(env="voxel", curriculum="lma3", llm=llm, ppo=TINY), tmp_path, print)
        run._relabel(Episode(None, (), 1, "p", 10, ()), [[2, [["mine_block", "dirt", 3]]]])
        run._relabel(Episode(None, (), 2, "p", 10, ()), [[5, [["mine_block", "dirt", 2]]]])  # of the same kind
        run.learner.close()
    assert len(server.requests) == 1
    assert [(line["proposer"], line["false"]) for line in run.book.proposals] == [("lma3 relabeler", false)]
    texts = {stats.goal.text: stats.relabelled for stats in run.book.stats.values()}
    assert texts["mine dirt"] == 1 and not any(count for text, count in texts.items() if "diamonds" in text)
    assert len([line for line in run.book.refused if line["why"] == "hallucination"]) == false
