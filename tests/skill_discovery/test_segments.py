"""From cuts to covers, names, thresholds and a library."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from plays import evidence_of, scores_of

from jarvis.core.errors import EpisodeError, FormatError, JarvisError, UnknownNameError
from jarvis.core.events import Event
from jarvis.core.segments import Segment, check_cover
from skill_discovery.library import Example, Library, build_library, embed
from skill_discovery.naming import VisionNamer, clean_name, name_by_events
from skill_discovery.segments import (
    LengthLimits,
    build_segments,
    published_line,
    read_segments,
    write_segments,
)
from skill_discovery.thresholds import Threshold, by_length, by_validation


def bounds(segments):
    return [segment.start for segment in segments][1:]


# covers


def test_segments_cover_the_clip_in_raw_ticks():
    segments = build_segments([30, 60], 100, criterion="sbd")
    check_cover(segments, 100)
    assert [(segment.start, segment.stop, segment.criterion) for segment in segments] == [
        (0, 30, "sbd"), (30, 60, "sbd"), (60, 100, "sbd"),
    ]  # fmt: skip


def test_of_cuts_too_close_the_better_one_stays():
    curve = np.zeros(100)
    curve[[30, 35, 60, 95]] = [1.0, 2.0, 3.0, 9.0]
    segments = build_segments([30, 35, 60, 95], 100, LengthLimits(10, 100), curve=curve)
    assert bounds(segments) == [35, 60]  # 95 leaves too little behind it
    assert [segment.score for segment in segments] == [0.0, 2.0, 3.0]
    assert bounds(build_segments([30, 35, 60], 100, LengthLimits(10, 100))) == [30, 60]


def test_long_segments_are_cut_where_the_curve_comes_nearest():
    curve = np.zeros(100)
    curve[70] = 0.5
    assert bounds(build_segments([], 100, LengthLimits(10, 80), curve=curve)) == [70]
    assert bounds(build_segments([], 100, LengthLimits(10, 60))) == [50]
    assert all(len(segment) <= 25 for segment in build_segments([], 1000, LengthLimits(10, 25)))


@pytest.mark.parametrize("ticks", [1, 2, 9])
def test_clips_shorter_than_a_segment_are_one(ticks):
    assert [(segment.start, segment.stop) for segment in build_segments([], ticks)] == [(0, ticks)]


@pytest.mark.parametrize("cuts", [[0], [100], [40, 30], [30, 30]])
def test_cuts_that_cannot_be_are_refused(cuts):
    with pytest.raises(EpisodeError, match="rising ticks from 1 to 99"):
        build_segments(cuts, 100)


def test_files_come_back_and_damage_is_named(tmp_path):
    segments = build_segments([30, 60], 100, criterion="events", curve=np.arange(100.0))
    path = tmp_path / "clip.jsonl"
    write_segments(path, segments)
    assert read_segments(path) == segments
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(EpisodeError, match="starts at 30, expected 0: gap"):
        read_segments(path)
    path.write_text("")
    with pytest.raises(FormatError, match="no segments"):
        read_segments(path)


def test_the_published_format_counts_both_ends():
    segments = [Segment(0, 3, "mine oak_log"), Segment(3, 5, 7), Segment(5, 6)]
    assert published_line("a.mp4", segments) == {"file": "a.mp4", "boundaries": [[0, 2], [3, 4], [5, 5]]}


# names


def test_segments_are_named_after_what_they_made():
    events = [
        Event(2, "mine_block", "dirt"), Event(5, "mine_block", "oak_log"), Event(6, "mine_block", "oak_log"),
        Event(12, "use_item", "wooden_pickaxe"), Event(13, "mine_block", "dirt"), Event(14, "craft_item", "oak_planks"),
        Event(15, "craft_item", "stick"), Event(31, "kill_entity", "cow"), Event(45, "use_item", "stone_axe"),
    ]  # fmt: skip
    segments = [Segment(0, 10), Segment(10, 20), Segment(20, 30), Segment(30, 40), Segment(40, 50, 3)]
    named = name_by_events(segments, events, grace=2)
    assert [segment.skill for segment in named] == ["mine oak_log", "craft stick", "kill cow", "kill cow", 3]
    assert named[2].start == 20


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Mine oak log.", "mine oak log"), ('"craft   stick"\nbecause', "craft stick"), ("", None), ("<think>", None),
        ("I am sorry, I cannot say what the player is doing in these frames", None),
    ],
)  # fmt: skip
def test_answers_become_names(answer, name):
    assert clean_name(answer) == name


@pytest.fixture
def server():
    """An OpenAI-compatible server that counts what it is asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            message = {"role": "assistant", "content": "Dig dirt."}
            body = json.dumps(
                {"id": "1", "object": "chat.completion", "created": 0, "model": "looker",
                 "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            ).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told):
            pass

    served = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/v1", asked
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_vision_model_is_asked_once(server, tmp_path):
    pytest.importorskip("openai", reason='naming by a vision model needs: pip install "jarvis-agent[llm]"')
    url, asked = server
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    namer = VisionNamer(url, "looker", tmp_path)
    assert namer.name(frames) == "dig dirt"
    assert VisionNamer(url, "looker", tmp_path).name(frames) == "dig dirt"
    assert len(asked) == 1
    assert [part["type"] for part in asked[0]["messages"][0]["content"]] == ["text", "image_url", "image_url"]
    assert namer.name(frames + 9) == "dig dirt"
    assert len(asked) == 2


def test_a_vision_model_that_cannot_be_reached_is_named(tmp_path):
    openai = pytest.importorskip("openai", reason='naming by a vision model needs: pip install "jarvis-agent[llm]"')
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="none", max_retries=0, timeout=2)
    namer = VisionNamer("http://127.0.0.1:9/v1", "looker", tmp_path, client=client)
    with pytest.raises(JarvisError, match=r"127\.0\.0\.1:9/v1: APIConnectionError"):
        namer.name(np.zeros((1, 8, 8, 3), np.uint8))
    assert not list(tmp_path.rglob("*.json"))


# thresholds


def spiky(*spikes, count=200, predictor="p" * 64, name="clip"):
    losses = np.ones(count)
    losses[list(spikes)] = 10.0 + np.arange(len(spikes))
    return evidence_of(count, name=name, scores=scores_of(losses, predictor=predictor))


def test_a_threshold_gives_segments_of_the_wanted_length():
    evidences = [spiky(40, 80, 120, 160), spiky(50, 100, 150, name="other")]
    threshold = by_length("sbd+nms", {}, evidences, mean_ticks=50)
    assert threshold.predictor == "p" * 64
    assert threshold.clips == 2
    criterion = threshold.make()
    counts = [len(criterion.cuts(evidence, threshold.value)) for evidence in evidences]
    assert threshold.mean_ticks == 400 / (sum(counts) + 2)
    assert 40 <= threshold.mean_ticks <= 60


def test_validation_takes_the_threshold_with_the_best_f1():
    # the lower three spikes are no boundaries
    truth = [Segment(0, 160, "a"), Segment(160, 200, "b")]
    threshold = by_validation("sbd+nms", {}, [spiky(40, 80, 120, 160)], [truth])
    assert threshold.f1 == 1.0
    assert threshold.make().cuts(spiky(40, 80, 120, 160), threshold.value).tolist() == [160]


def test_a_threshold_stays_with_its_predictor(tmp_path):
    threshold = by_length("sbd+nms", {"distance": 12}, [spiky(40, 80)], mean_ticks=60)
    threshold.save(tmp_path / "threshold.json")
    again = Threshold.load(tmp_path / "threshold.json")
    assert again == threshold
    again.check(spiky(30))
    with pytest.raises(EpisodeError, match=r"losses of predictor qqqqqqqqqqqq, but this threshold of sbd\+nms"):
        again.check(spiky(30, predictor="q" * 64))
    with pytest.raises(EpisodeError, match="losses of 2 predictors"):
        by_length("sbd", {}, [spiky(30), spiky(30, predictor="q" * 64)], 50)
    (tmp_path / "threshold.json").write_text("{}")
    with pytest.raises(FormatError, match=r"threshold\.json"):
        Threshold.load(tmp_path / "threshold.json")


# the library


def examples(each=12):
    keys = {"forward": "walk", "attack": "mine stone", "use": "place"}
    made = []
    for number in range(each):
        for key, name in keys.items():
            evidence = evidence_of(20 + number, pressed=key, name=f"{key}-{number}")
            segment = Segment(0, len(evidence), name if number % 3 else None)
            made.append(Example(evidence.name, segment, embed(evidence, segment)))
    return made


def test_a_library_finds_skills_by_name_and_by_example(tmp_path):
    library = build_library(examples(), 3, seed=1)
    assert library.stability == 1.0
    assert sorted(skill.name for skill in library.skills) == ["mine stone", "place", "walk"]
    library.write(tmp_path / "skills")
    again = Library.read(tmp_path / "skills")
    skill = again.find("mine stone")[0]
    assert (skill.count, skill.agreement) == (12, 1.0)
    new = evidence_of(33, pressed="attack")
    nearest = again.nearest(embed(new, Segment(0, 33)))
    assert nearest[0][0].name == "mine stone"
    assert nearest[0][2] <= nearest[-1][2]
    assert again.label(embed(new, Segment(0, 33))) == skill
    with pytest.raises(UnknownNameError, match="mine stone"):
        again.find("mine stones")


def test_a_library_without_structure_is_not_stable():
    random = np.random.default_rng(0)
    noise = [Example("a", Segment(0, 1), random.normal(size=6).astype(np.float32)) for _ in range(80)]
    assert build_library(noise, 4).stability < 0.6


def test_libraries_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(EpisodeError, match="4 clusters of 3 examples"):
        build_library(examples(1), 4)
    other = evidence_of(20, scores=scores_of(np.ones(20)))
    mixed = [*examples(1), Example("clip", Segment(0, 20), embed(other, Segment(0, 20)))]
    with pytest.raises(EpisodeError, match="embed all examples with the same predictor"):
        build_library(mixed, 2)
    with pytest.raises(FormatError, match="no finished skill library"):
        Library.read(tmp_path)
