from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from data_pipelines.contractor import (
    ContractorLines,
    Seen,
    cursor_pixels,
    local_pairs,
    mouse_counts,
    quantise_camera,
    read_contractor,
    read_index,
    recorder_version,
)
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.core.errors import ActionError, FormatError

PLAIN = {
    "mouse": {
        "x": 640.0, "y": 360.0, "dx": 0.0, "dy": 0.0, "scaledX": 0.0, "scaledY": 0.0, "dwheel": 0.0,
        "buttons": [], "newButtons": [],
    },
    "keyboard": {"keys": [], "newKeys": [], "chars": ""},
    "isGuiOpen": False, "isGuiInventory": False, "hotbar": 0, "yaw": 12.5, "pitch": -3.0,
    "xpos": 1.5, "ypos": 64.0, "zpos": -8.25, "tick": 0, "milli": 0, "inventory": [], "serverTick": 0,
    "serverTickDurationMs": 50.0, "stats": {},
}  # fmt: skip


def line(**changes):
    """A line with some fields changed: mouse and keyboard fields by their own name."""
    made = copy.deepcopy(PLAIN)
    for name, value in changes.items():
        part = made["mouse"] if name in made["mouse"] else made["keyboard"] if name in made["keyboard"] else made
        part[name] = value
    return made


def write(path, lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text if isinstance(text, str) else json.dumps(text) for text in lines) + end)
    return path


@pytest.fixture
def read(tmp_path):
    def reader(*lines, end="\n", folder="10.0", **options):
        return read_contractor(write(tmp_path / folder / "player.jsonl", lines, end), **options)

    return reader


def published_conversion(lines):
    """What OpenAI's script does with a recording, told by what it is known to do, with floats for the camera.

    Keys and mouse buttons one to one, 360/2400 degrees a count, attack stuck from the first frame, hotbar by changes
    from slot 0, null frames decided before the hotbar.
    """
    keys = dict(
        zip(
            "escape s q w 1 2 3 4 5 6 7 8 9 e space a d left.shift left.control f".split(),
            "ESC back drop forward hotbar.1 hotbar.2 hotbar.3 hotbar.4 hotbar.5 hotbar.6 hotbar.7 hotbar.8 hotbar.9 "
            "inventory jump left right sneak sprint swapHands".split(),
            strict=True,
        )
    )
    stuck, last, played = False, 0, []
    for number, value in enumerate(lines):
        mouse = value["mouse"]
        stuck = mouse["newButtons"] == [0] if number == 0 else stuck and 0 not in mouse["newButtons"]
        held = [button for button in mouse["buttons"] if not (stuck and button == 0)]
        pressed = {keys[key.removeprefix("key.keyboard.")] for key in value["keyboard"]["keys"]}
        pressed |= {("attack", "use", "pickItem")[button] for button in held}
        camera = np.array([mouse["dy"] * (360.0 / 2400.0), mouse["dx"] * (360.0 / 2400.0)])
        null = not pressed and not camera.any()
        if value["hotbar"] != last:
            pressed.add(f"hotbar.{value['hotbar'] + 1}")
        last = value["hotbar"]
        played.append((null, Action.of(*sorted(pressed), camera=camera)))
    return played


def random_actions(count, seed=0):
    random = np.random.default_rng(seed)
    buttons = (random.random((count, len(BUTTONS))) < 0.12).astype(np.uint8)
    buttons[random.random(count) < 0.3] = 0
    camera = quantise_camera(random.laplace(0, 4, (count, 2)) * (random.random((count, 1)) < 0.6))
    return [Action(*pair) for pair in zip(buttons, camera, strict=True)]


def test_what_is_written_is_what_both_readers_give_back(tmp_path):
    actions = [Action.of("attack", "hotbar.7"), *random_actions(600), Action.noop()]
    lines = ContractorLines()
    slots = np.random.default_rng(1).integers(0, 9, len(actions))  # also changes that no key made
    written = [lines.line(action, Seen(), int(slot)) for action, slot in zip(actions, slots, strict=True)]
    log = read_contractor(write(tmp_path / "a.jsonl", written))
    assert [log.action(tick) for tick in range(len(log))] == actions
    assert log.repairs == {} and log.unknown == {} and log.cut is None
    for (null, converted), action in zip(published_conversion(written), actions, strict=True):
        assert converted == action
        assert null == (action == Action.noop())
    assert [bool(null) for null in log.null] == [action == Action.noop() for action in actions]


def test_a_line_has_the_fields_of_a_real_one(tmp_path):
    seen = Seen(True, True, (274.0, 338.0), -112.5, 8.25, (841.5, 63.0, 24.75), {"oak_log": 3}, {"custom": {"jump": 4}})
    made = ContractorLines().line(Action.of("left", "use", camera=(0.15, -0.3)), seen)
    assert set(made) == set(PLAIN) and set(made["mouse"]) == set(PLAIN["mouse"])
    assert made["mouse"] == {
        "x": 274.0, "y": 338.0, "dx": -2.0, "dy": 1.0, "scaledX": -366.0, "scaledY": -22.0, "dwheel": 0.0,
        "buttons": [1], "newButtons": [],
    }  # fmt: skip
    assert made["keyboard"] == {"keys": ["key.keyboard.a"], "newKeys": ["key.keyboard.a"], "chars": ""}
    assert made["inventory"] == [{"type": "oak_log", "quantity": 3}]
    assert made["stats"] == {"minecraft.custom:minecraft.jump": 4}


def test_new_keys_and_buttons_are_those_that_were_up():
    lines = ContractorLines()
    held = Action.of("forward", "attack")
    news = []
    for action in (held, held, Action.noop(), held):
        made = lines.line(action, Seen())
        news.append((made["keyboard"]["newKeys"], made["mouse"]["newButtons"]))
    w = "key.keyboard.w"
    assert news == [([w], []), ([], []), ([], []), ([w], [0])]


def test_cameras_are_whole_mouse_counts():
    assert quantise_camera([[0.0749, 0.076], [-10.0, -0.01]]).tolist() == np.float32([[0, 0.15], [-10.05, 0]]).tolist()
    every = quantise_camera(np.stack([np.arange(-1200, 1201) * 0.15] * 2, axis=-1))
    assert mouse_counts(every)[:, 0].tolist() == list(range(-1200, 1201))
    with pytest.raises(ActionError, match=r"yaw of 1\.0 degrees.*quantise_camera"):
        mouse_counts([0.15, 1.0])
    with pytest.raises(ActionError, match="NaN"):
        mouse_counts([np.nan, 0.0])


def test_small_turns_are_kept(read):
    log = read(line(dx=1.0, dy=-6.0), line(dx=0.5))
    assert log.camera.dtype == np.float32
    assert log.camera.tolist() == np.float32([[-0.9, 0.15], [0, 0.075]]).tolist()
    truncated = read(line(dx=6.0, dy=-7.0), legacy_truncation=True)
    assert truncated.camera.tolist() == [[-1.0, 0.0]]


def test_attack_stuck_from_the_first_frame_is_taken_away_until_it_is_pressed(read):
    stuck = [line(buttons=[0], newButtons=[0]), line(buttons=[0, 1]), line(buttons=[0], newButtons=[0])]
    log = read(*stuck, line(buttons=[0]))
    assert log.buttons[:, BUTTON_INDEX["attack"]].tolist() == [0, 0, 1, 1]
    assert log.buttons[:, BUTTON_INDEX["use"]].tolist() == [0, 1, 0, 0]
    assert log.null.tolist() == [True, False, False, False]
    assert log.repairs == {"stuck_attack": 2}
    # a button that was simply held when the recording began is no such case
    assert read(line(buttons=[0]), line(buttons=[0])).buttons[:, BUTTON_INDEX["attack"]].tolist() == [1, 1]


def test_the_scroll_wheel_presses_hotbar_keys(read):
    # The first slot is 4, not 0: no press. Then a key, a key that is still down, two scrolls and a pick.
    keys = {"keys": ["key.keyboard.6"]}
    lines = [line(hotbar=4), line(hotbar=4, **keys), line(hotbar=5), line(hotbar=6), line(hotbar=6), line(hotbar=0)]
    log = read(*lines, line(hotbar=2, buttons=[2]), line(hotbar=2))
    presses = log.buttons[:, BUTTON_INDEX["hotbar.1"] : BUTTON_INDEX["hotbar.9"] + 1]
    assert [np.flatnonzero(row).tolist() for row in presses] == [[], [5], [], [6], [], [0], [], []]
    assert log.repairs == {"scroll": 2}
    assert not log.null[3]  # the original loses a scroll on an otherwise empty frame


def test_null_frames_stay_in_their_place(read):
    log = read(line(), line(dx=1.0), line(), line(keys=["key.keyboard.w"]), line(keys=["key.keyboard.tab"]))
    assert len(log) == 5 and log.null.tolist() == [True, False, True, False, True]
    assert log.unknown == {"key.keyboard.tab": 1} and log.repairs == {"unknown_key": 1}


def test_unknown_mouse_buttons_are_ignored_and_counted(read):
    log = read(line(buttons=[4, 1]))
    assert log.action(0) == Action.of("use") and log.unknown == {"mouse.4": 1}


@pytest.mark.parametrize(("folder", "gui", "walking"), [("6.9", 3.0, 1.5), ("5.8", 0.75, 1.5), ("6.10", 1.5, 1.5)])
def test_the_mouse_on_screens_is_scaled_by_the_recorder(read, folder, gui, walking):
    log = read(line(dx=10.0, isGuiOpen=True), line(dx=10.0), folder=folder)
    assert log.camera[:, 1].tolist() == np.float32([gui, walking]).tolist()
    assert log.gui_open.tolist() == [True, False]
    assert log.repairs == ({} if folder == "6.10" else {"gui_scaled": 1})


def test_versions_are_read_from_the_folder():
    assert recorder_version("data/6.9/player-20210806.jsonl") == "6.9"
    assert recorder_version("clips/player.jsonl") is None


def test_the_cursor_is_where_the_released_models_saw_it(read):
    log = read(line(x=641.9, y=359.0), line(x=0.0, y=719.0))
    assert cursor_pixels(log.cursor, 360).tolist() == [[320, 179], [0, 359]]
    assert cursor_pixels([641.9, 359.0], 720).tolist() == [641, 359]


def test_escape_closes_screens_as_inventory_on_request(read):
    lines = [line(keys=["key.keyboard.escape"], isGuiOpen=opened) for opened in (True, False)]
    assert [read(*lines).action(i).pressed for i in (0, 1)] == [("ESC",), ("ESC",)]
    log = read(*lines, escape_is_inventory=True)
    assert [log.action(i).pressed for i in (0, 1)] == [("inventory",), ("ESC",)]


def test_a_turn_that_no_tick_allows_is_not_a_turn(read):
    log = read(line(dx=1201.0, dy=10.0), line(dx=1200.0))
    assert log.camera.tolist() == [[1.5, 0.0], [0.0, 180.0]] and log.repairs == {"camera_jump": 1}


def test_a_cut_last_line_is_left_out_and_told(read):
    log = read(line(dx=1.0), json.dumps(line())[:100], end="")
    assert len(log) == 1 and log.repairs == {"cut_line": 1} and "line 2" in log.cut


def test_basalt_lines_lack_what_is_forbidden(read):
    log = read({"mouse": {"dx": 2.0, "dy": 0.0, "buttons": [1]}, "keyboard": {"keys": ["key.keyboard.d"]}})
    assert log.action(0) == Action.of("right", "use", camera=(0, 0.3))
    assert np.isnan(log.position).all() and np.isnan(log.cursor).all() and log.hotbar.tolist() == [-1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (json.dumps(line()).replace('"dx": 0.0', '"dx": NaN'), "line 2: NaN"),
        (json.dumps(line()).replace('"dx": 0.0', '"dx": -Infinity'), "line 2: -Infinity"),
        (json.dumps(line()).replace('"dx": 0.0', '"dx": 1e999'), "line 2: 1e999 is too large"),
        (line(dx=10**400), "line 2: mouse: dx is 1000"),
        (line(dx="3"), "dx is '3', expected a number"),
        (line(dx=True), "dx is True"),
        (line(hotbar=9), "hotbar is 9, expected 0 to 8"),
        (line(buttons=["0"]), "buttons is"),
        (line(keys="key.keyboard.w"), "keys is"),
        (line(isGuiOpen=1), "isGuiOpen is 1"),
        ({"keyboard": {}}, "line 2: no 'mouse'"),
        ({"mouse": {"buttons": []}}, "line 2: mouse: no 'dy'"),
        ([1, 2], r"line 2: \[1, 2\], expected an object"),
        ("{not json}", "line 2"),
        ("[" * 100000, "line 2"),
    ],
)
def test_lines_that_cannot_be_are_refused_by_number(read, bad, message):
    with pytest.raises(FormatError, match=message):
        read(line(), bad, line())


@pytest.mark.parametrize("content", ["", "\n\n", '{"mouse": {"dx"'])
def test_a_file_without_a_line_is_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(FormatError, match=r"a\.jsonl: no complete line"):
        read_contractor(tmp_path / "a.jsonl")


@pytest.mark.parametrize("ending", ["", ".mp4", ".jsonl"])
@pytest.mark.parametrize("style", ["json", "python"])
def test_index_files_of_every_style(tmp_path, ending, style):
    value = {"basedir": "https://host/x", "relpaths": [f"data/10.0/a-1{ending}", f"data/10.0/b-2{ending}"]}
    path = tmp_path / "all_10xx.json"
    path.write_text(json.dumps(value) if style == "json" else repr(value))
    index = read_index(path)
    assert index.names == ("data/10.0/a-1", "data/10.0/b-2")
    assert index.video("data/10.0/a-1") == "https://host/x/data/10.0/a-1.mp4"
    assert index.actions("data/10.0/a-1") == "https://host/x/data/10.0/a-1.jsonl"


def test_index_entries_are_listed_once_and_missing_files_named(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"basedir": "", "relpaths": ["a.mp4", "a.jsonl", "b", "c"]}))
    index = read_index(tmp_path / "index.json")
    for name in ("a.mp4", "a.jsonl", "b.jsonl"):
        (tmp_path / name).touch()
    assert local_pairs(index, tmp_path) == (["a"], {"b": "no mp4", "c": "no mp4 and no jsonl"})


@pytest.mark.parametrize(
    "content",
    [
        '{"relpaths": ["../../etc/passwd"]}',
        '{"relpaths": ["/etc/passwd"]}',
        '{"relpaths": ["http://host/a.mp4"]}',
        '{"relpaths": [3]}',
        '{"relpaths": "a.mp4"}',
        '{"basedir": 3, "relpaths": []}',
        "__import__('os').system('true')",
        "[]",
        "(" * 5000,
        "",
    ],
)
def test_index_files_that_cannot_be_are_refused(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(FormatError, match=r"index\.json"):
        read_index(tmp_path / "index.json")
