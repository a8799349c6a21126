"""What the stages learn from: true answers, points where things are, lessons that a policy can follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.goals import Count, Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from vla.action_codecs import get
from vla.demonstrations import Counted, demonstrations, expert_iteration, recorded
from vla.grounding import caption, grounding_samples, questions_of
from vla.questions import language_samples, question_answers
from vla.samples import Samples, SampleWriter

PLANKS = Task(
    "planks",
    Goal("make planks", Count("craft_item", "oak_planks", 4), aliases=("craft planks",)),
    StartState(inventory={"oak_log": 1}, weather="clear"),
    max_ticks=200,
    instructions=("make planks", "craft planks"),
)


@pytest.fixture(scope="module")
def pairs():
    return {pair.question: pair for pair in question_answers()}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do you craft a stick?", "2 planks of any kind."),
        ("What is the recipe of a diamond pickaxe?", "3 diamond and 2 stick."),
        ("Do you need a crafting table for a furnace?", "Yes."),
        ("Where is a crafting table crafted?", "In the inventory, no crafting table is needed."),
        ("What does iron ore become in a furnace?", "iron ingot."),
        ("How many items does one coal smelt?", "8."),
        ("Which tool do you need to mine diamond ore?", "An iron pickaxe or better."),
        ("Can you harvest oak log by hand?", "Yes."),
        ("Is a creeper dangerous?", "Yes."),
        ("You have nothing and want a wooden pickaxe. What next?", "Get 3 logs."),
    ],
)
def test_answers_are_the_games_rules(pairs, question, answer):
    assert pairs[question].answer == answer


def test_pairs_are_many_and_split_once(pairs):
    assert len(pairs) > 1000
    splits = [pair.split for pair in pairs.values()]
    assert 0.03 < splits.count("validation") / len(splits) < 0.07
    train = {sample.turns[0].parts[0] for sample in language_samples("train")}
    held = {sample.turns[0].parts[0] for sample in language_samples("validation")}
    assert not train & held
    assert len(train | held) == len(pairs)


def test_pictures_are_asked_about_and_answered_truly(tmp_path):
    from jarvis.envs.sights import Sight, Spot

    hotbar = (("oak_log", 3), ("", 0), ("oak_log", 2), *[("", 0)] * 6)
    spots = (Spot("cow", "mob", 0.5, 0.25, 3.0), Spot("grass_block", "block", 0.1, 0.9, 2.0))
    sight = Sight("grass_block", spots, hotbar, 3, 17.0, 20, "plains", True, False)
    assert caption(sight) == (
        "You hold 2 oak log. You are in a plains by day. The crosshair is on grass block. There is grass block, cow."
    )
    asked = {question: answer for seed in range(40)
             for question, answer, _ in questions_of(sight, np.random.default_rng(seed))}  # fmt: skip
    assert asked["How many oak log are in the hotbar?"] == "5."
    assert asked["What is in slot 1 of the hotbar?"] == "3 oak log."
    assert asked["What is in slot 2 of the hotbar?"] == "Nothing."
    assert asked["How many hearts do you have?"] == "8.5."
    assert asked["Point to the nearest cow."] == (
        "<|object_ref_start|>cow<|object_ref_end|><|point_start|>(500,250)<|point_end|>"
    )
    samples = list(grounding_samples([PLANKS], pictures=3, seed=1, width=112, height=63, each=2))
    assert len(samples) == 6
    assert [sample.id for sample in samples] == [
        sample.id for sample in grounding_samples([PLANKS], pictures=3, seed=1, width=112, height=63, each=2)
    ]
    assert samples[0].frames()[0].shape == (63, 112, 3)


def test_a_demonstration_can_be_followed_with_the_codec_alone():
    from jarvis.core.random_streams import stream_seed
    from jarvis.envs.voxel import VoxelEnv

    counted = Counted()
    lessons = list(demonstrations([PLANKS], 1, seed=4, width=112, height=63, counted=counted))
    assert counted.episodes == counted.successes == 1
    assert counted.kept == counted.ticks == len(lessons)
    assert lessons[0].turns[0].parts[0] in ("make planks\nobservation: \n", "craft planks\nobservation: \n")
    codec = get("jarvisvla-fixed")
    env = VoxelEnv(width=112, height=63)
    env.reset(PLANKS, stream_seed(4, "demonstration", 0) % (1 << 29))
    for lesson in lessons:
        [action] = codec.decode(codec.encode(lesson.action))
        info = env.step(Action.from_env(action)).info
    assert info["success"]
    env.close()


class Stubborn:
    """A policy that only jumps."""

    def reset(self, goals, *, rows=None, seeds=None):
        pass

    def act(self, observations):
        return [Action.of("jump") for _ in observations]


def test_where_a_policy_goes_the_demonstrator_still_says_what_is_right():
    counted = Counted()
    short = replace(PLANKS, max_ticks=30)
    lessons = list(demonstrations([short], 1, seed=4, width=112, height=63, policy=Stubborn(), share=1.0,
                                  counted=counted))  # fmt: skip
    assert counted.successes == 0
    assert len(lessons) == 30
    assert all(lesson.action != {"jump": 1, "camera": [0.0, 0.0]} for lesson in lessons)
    assert not list(expert_iteration(Stubborn(), [short], 1, seed=4, width=112, height=63))


def test_recordings_with_truth_become_lessons(tmp_path):
    from data_pipelines.contractor import Seen
    from data_pipelines.recordings import RecordingWriter

    with RecordingWriter(tmp_path, "voxel-000000-00", 112, 64) as writer:
        for tick in range(12):
            frame = np.full((64, 112, 3), 20 * tick, np.uint8)
            skill = "mine oak_log" if tick < 6 else "craft #planks"
            busy = tick not in (2, 3, 4)
            writer.add(frame, Action.of("attack") if busy else Action.noop(), Seen(), {"tick": tick, "coarse": skill})
    counted = Counted()
    lessons = list(recorded(tmp_path, width=112, height=64, drop_idle=1, counted=counted))
    assert counted == Counted(episodes=1, ticks=12, kept=10)
    assert [lesson.frame for lesson in lessons] == [0, 1, 2, 5, *range(6, 12)]
    assert lessons[0].turns[0].parts[0] == "mine oak log\nobservation: \n"
    assert lessons[-1].turns[0].parts[0] == "craft planks\nobservation: \n"
    assert abs(int(lessons[3].frames()[0].mean()) - 100) < 8
    with SampleWriter(tmp_path / "samples", {}) as made:
        for lesson in lessons:
            made.add(lesson)
    assert Samples([tmp_path / "samples"])[1].action == lessons[1].action
