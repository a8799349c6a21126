import json
import os
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.errors import EnvironmentFailure, EpisodeError, PredicateError, StartStateError, UnknownNameError
from jarvis.core.goals import Goal
from jarvis.core.predicates import parse
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.doctor import check_machine, setup_steps
from jarvis.envs.luanti import LuantiEnv
from jarvis.envs.luanti.environment import own_folder, start_command
from jarvis.envs.luanti.game import luanti_program
from jarvis.envs.luanti.keys import KEYS, UNDELIVERED, Hands, Input
from jarvis.envs.luanti.library import SOURCE, make_library
from jarvis.envs.luanti.link import HEADER, PIXELS_AT, FrameLink, GameLostError
from jarvis.envs.luanti.log import LogReader, told_info
from jarvis.envs.luanti.names import _tables, from_luanti, to_luanti, vocabulary
from jarvis.envs.luanti.settings import DATA, game_settings, lay_out, log_path, map_seed, send_command

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Luanti is played on Linux only")
compiler = shutil.which("cc") or shutil.which("gcc")


# -- keyboard and mouse ----------------------------------------------------------------------------------------------


def test_keys_go_down_and_up_once():
    hands = Hands(640, 360)
    assert hands.play(Action.of("forward", "attack"), False) == [Input("key", "w", True), Input("button", 1, True)]
    assert hands.play(Action.of("forward", "attack"), False) == []
    # What is let go comes before what is pressed.
    assert hands.play(Action.of("jump"), False) == [
        Input("key", "w", False), Input("key", "space", True), Input("button", 1, False),
    ]  # fmt: skip


def test_the_mouse_turns_the_camera_without_losing_a_fraction():
    hands = Hands(640, 360)
    # 0.15 degrees a pixel, counted from the middle, where the game puts the cursor in every frame
    assert hands.play(Action.of(camera=(-3, 90)), False) == [Input("move", (320 + 600, 180 - 20), True)]
    moved = [hands.play(Action.of(camera=(0, 0.1)), False) for _ in range(30)]
    assert sum(move[0].what[0] - 320 for move in moved if move) == 20  # 30 x 0.1 / 0.15
    assert hands.play(Action.noop(), False) == []


def test_the_cursor_of_a_screen_begins_in_the_middle_and_stays_in_the_window():
    hands = Hands(1280, 720)
    hands.play(Action.of("inventory"), False)
    # twice as many pixels in a window twice as wide, and the click comes after the move
    assert hands.play(Action.of("attack", camera=(-1.5, 15)), True) == [
        Input("key", "i", False), Input("move", (640 + 200, 360 - 20), True), Input("button", 1, True),
    ]  # fmt: skip
    hands.play(Action.of(camera=(0, 180)), True)
    assert hands.cursor == (1279, 340)
    hands.play(Action.noop(), False)
    assert hands.cursor == (640, 360)


def test_escape_closes_screens_and_never_opens_the_menu():
    hands = Hands(640, 360)
    assert hands.play(Action.of("ESC"), False) == []
    assert hands.undelivered == {"ESC": 1}
    hands.play(Action.noop(), True)
    assert hands.play(Action.of("ESC", "inventory"), True) == [Input("key", "Escape", True)]
    assert hands.undelivered == {"ESC": 1}


def test_keys_without_a_meaning_are_counted_by_press():
    hands = Hands(640, 360)
    for names in (("swapHands",), ("swapHands", "pickItem"), (), ("swapHands", "hotbar.9")):
        assert hands.play(Action.of(*names), False) == []
    assert hands.undelivered == {"swapHands": 2, "pickItem": 1, "hotbar.9": 1}
    hands.begin()
    assert hands.undelivered == {}


def test_every_button_is_a_key_a_mouse_button_or_undelivered():
    from jarvis.core.actions import BUTTONS

    assert sorted([*KEYS, *UNDELIVERED, "attack", "use"]) == sorted(BUTTONS)


# -- names, the scene, the log ---------------------------------------------------------------------------------------


def test_things_with_the_same_role_have_minecrafts_names():
    pairs = {
        "oak_log": "default:tree", "wooden_pickaxe": "default:pick_wood", "iron_ingot": "default:steel_ingot",
        "cobblestone": "default:cobble", "white_wool": "wool:white", "mese_crystal": "default:mese_crystal",
        "tnt_tnt_stick": "tnt:tnt_stick",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        assert from_luanti(theirs) == ours and to_luanti(ours) == theirs
    assert from_luanti("default:furnace_active") == "furnace"  # a form, in events only
    assert vocabulary().resolve("item", "planks").split("|")[:2] == ["acacia_planks", "birch_planks"]


def test_no_two_things_share_a_name():
    tables = _tables()
    names = {*tables["others"], *tables["blocks"], *tables["same"].values()} - set(tables["also"])
    assert len({from_luanti(name) for name in names}) == len(names) == len(vocabulary().items) > 480


def test_a_start_becomes_the_mods_command():
    start = StartState(
        inventory={"oak_log": 3}, slots={2: ("stone_pickaxe", 1)}, nearby={"furnace": 2}, nearby_radius=3, time=6000,
        weather="clear", health=7, position=(1, 20.5, -3),
    )  # fmt: skip
    command = start_command(start, 5)
    assert command["slots"] == {"1": "default:tree 3", "3": "default:pick_stone 1"}
    assert command["time"] == 0.5 and command["hp"] == 7 and command["position"] == [1, 20.5, -3]
    assert [block[2] for block in command["nearby"]] == ["default:furnace"] * 2
    assert all(2 <= np.hypot(x, z) <= 3 for x, z, _ in command["nearby"])
    assert start_command(start, 5) == command != start_command(start, 6)
    assert start_command(StartState(time=18000), 0)["time"] == 0


STEP = {
    "serial": 1, "step": 161, "dtime": 0.05, "position": [-192, 17.5, 3], "pitch": 10, "yaw": 330, "hp": 20,
    "breath": 10, "time": 0.3, "biome": "grassland", "wielded": "default:pick_wood", "unsure": False,
    "inventory": {"default:tree": 3.0, "default:torch": 1}, "totals": {"mine_block": {"default:tree": 3}},
}  # fmt: skip


def test_a_step_is_told_under_minerls_names():
    info = told_info(STEP, screen_open=True)
    assert info["inventory"] == {"oak_log": 3, "torch": 1} and info["mine_block"] == {"oak_log": 3}
    assert info["equipped_items"] == {"mainhand": {"type": "wooden_pickaxe"}}
    # turning right adds to yaw, as in Minecraft
    assert info["location_stats"] == {
        "xpos": -192, "ypos": 17.5, "zpos": 3, "pitch": 10, "yaw": 30, "biome": "grassland",
    }  # fmt: skip
    assert info["life_stats"] == {"life": 20, "air": 10, "is_alive": True} and info["isGuiOpen"] is True
    # the mod's empty tables are null
    bare = told_info({**STEP, "inventory": None, "totals": None, "wielded": "", "biome": None}, False)
    assert bare["inventory"] == {} and bare["equipped_items"]["mainhand"]["type"] == "air"
    # forms of one thing count together
    torches = {"mine_block": {"default:torch": 1, "default:torch_wall": 2}, "custom": {"deaths": 1}}
    info = told_info({**STEP, "totals": torches}, False)
    assert info["mine_block"] == {"torch": 3} and info["custom"] == {"deaths": 1}


def test_a_line_that_is_being_written_waits(tmp_path):
    log = LogReader(tmp_path / "log.jsonl")
    assert log.read() == []
    line = json.dumps(STEP)
    with log.path.open("w") as file:
        file.write(line + "\n" + line[:20])
        file.flush()
        assert log.read() == [STEP]
        file.write(line[20:] + "\n" + line + "\n")
        file.flush()
        assert log.read() == [STEP, STEP]
        assert log.read() == []
        file.write('{"serial": 1}\n')
        file.flush()
        with pytest.raises(EpisodeError, match=r"log\.jsonl: b'\{\"serial\": 1\}', expected one step of the game with"):
            log.read()


def test_the_folder_of_a_game_is_made_anew(tmp_path):
    home = tmp_path / "game"
    settings = game_settings(640, 360, seed=-1, time_of_day=0.5, view_range=40)
    (home / "world").mkdir(parents=True)
    (home / "world" / "log_7.jsonl").touch()
    arguments = lay_out(home, settings)
    assert arguments[:3] == ["--go", "--world", str(home / "world")]
    assert arguments[3:] == ["--gameid", "minetest", "--config", str(home / "minetest.conf")]
    lines = (home / "minetest.conf").read_text().splitlines()
    assert {"screen_w = 640", "screen_h = 360", "viewing_range = 40"} <= set(lines)
    assert {f"fixed_map_seed = {2**64 - 1}", "world_start_time = 12000", "enable_sound = false"} <= set(lines)
    assert {"mouse_sensitivity = 0.15", "keymap_inventory = KEY_KEY_I", "bind_address = 127.0.0.1"} <= set(lines)
    assert "backend = dummy" in (home / "world" / "world.mt").read_text().splitlines()
    files = sorted(path.name for path in (home / "world").rglob("*") if path.is_file())
    assert files == ["init.lua", "mod.conf", "world.mt"]
    assert log_path(home, 3) == home / "world" / "log_3.jsonl" and map_seed(7) == 7
    send_command(home, {"begin": True})
    assert json.loads((home / "world" / "command.json").read_text()) == {"begin": True}


def test_keys_are_bound_to_what_is_pressed():
    settings = game_settings(640, 360, 0)
    names = {"w": "KEY_KEY_W", "space": "KEY_SPACE", "Shift_L": "KEY_LSHIFT", "i": "KEY_KEY_I", "8": "KEY_KEY_8"}
    bound = set(settings.values())
    for keysym, name in names.items():
        assert keysym in KEYS.values() and name in bound


def test_what_the_mod_tells_is_what_the_reader_wants():
    source = (DATA / "mod" / "init.lua").read_text()
    told = re.search(r"minetest\.write_json\(\{\n(.*?)\}\)", source, re.DOTALL).group(1)
    assert set(re.findall(r"^\t\t(\w+) =", told, re.MULTILINE)) >= set(STEP)


# -- the environment, without a game ---------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (StartState(weather="rain"), StartStateError, "weather: 'rain', but it never rains in luanti"),
        (StartState(slots={32: ("stick", 1)}), StartStateError, "slots: 32 is taken, but luanti has slots 0 to 31"),
        (StartState(mobs={"cow": 1}), StartStateError, r"cannot honour mobs = \{'cow': 1\}"),
        (StartState(inventory={"crafting_table": 1}), UnknownNameError, "unknown item 'crafting_table'"),
        (StartState(nearby={"oak_log": 40}, nearby_radius=2), StartStateError, "40 blocks and mobs nearby, but"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_starts(start, error, message):
    env = LuantiEnv()
    with pytest.raises(error, match=message):
        env.reset(Task("play", Goal("play"), start), 3)
    assert env.simulator.process is None
    env.close()


@linux
def test_it_is_an_environment_and_says_what_it_cannot_tell():
    env = LuantiEnv(width=128, height=128)
    assert isinstance(env, Environment) and env.observation_space["pov"].shape == (128, 128, 3)
    near = Goal("find", parse({"at": {"near_block": "furnace", "radius": 4}}))
    with pytest.raises(PredicateError, match="environment 'luanti' cannot tell near_blocks"):
        env.check(Task("find", near))
    with pytest.raises(ValueError, match="view_range: 500, expected 20 to 240"):
        LuantiEnv(view_range=500)
    env.close()


@linux
def test_a_missing_game_is_told_with_the_next_command(monkeypatch):
    monkeypatch.setenv("JARVIS_LUANTI", "/nowhere/minetest")
    env = LuantiEnv()
    with pytest.raises(EnvironmentFailure, match="Luanti is not installed: jarvis doctor --setup luanti"):
        env.reset(Task("play", Goal("play")), 3)
    env.close()


@linux
def test_folders_of_dead_players_are_removed_and_no_others(tmp_path):
    # a process that ends without its exit handlers, as a killed one does
    program = "import os, pathlib; from jarvis.envs.luanti.environment import own_folder; "
    program += f"own_folder(pathlib.Path({str(tmp_path)!r})); os._exit(0)"
    subprocess.run([sys.executable, "-c", program], check=True)
    (left,) = tmp_path.iterdir()
    mine = own_folder(tmp_path)
    assert not left.exists() and mine.exists()
    other = own_folder(tmp_path)
    assert mine.exists() and other != mine


@linux
def test_doctor_says_how_to_set_it_up(monkeypatch):
    monkeypatch.setenv("JARVIS_LUANTI", "/nowhere/minetest")
    row = next(row for row in check_machine() if row.name == "luanti")
    assert row.status == "warning" and row.found.startswith("no minetest")
    assert row.mend == "jarvis doctor --setup luanti"
    apt, pip, compiling = (str(step) for step in setup_steps("luanti"))
    assert apt.startswith("sudo apt-get install -y --no-install-recommends minetest xvfb gcc ")
    assert "jarvis-agent[luanti]" in pip and compiling.endswith("-m jarvis.envs.luanti.library")


# -- the library, with a program that draws like a game --------------------------------------------------------------

# glReadPixels tells the number of the picture in its first pixel; the "Server" thread counts its turns.
TOY = """
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void glXSwapBuffers(void *display, unsigned long drawable);
int XDefineCursor(void *display, unsigned long window, unsigned long cursor);
int XUndefineCursor(void *display, unsigned long window);
static int frame, turns, working;

void glGetIntegerv(unsigned what, int *view) { (void)what; view[0] = view[1] = 0; view[2] = 4; view[3] = 2; }
void glPixelStorei(unsigned what, int value) { (void)what; (void)value; }
void glReadPixels(int x, int y, int w, int h, unsigned f, unsigned t, unsigned char *out)
{
    (void)x; (void)y; (void)f; (void)t;
    memset(out, 9, 3 * w * h);
    out[0] = frame; out[1] = turns; out[2] = working;
}

static double now(void)
{
    struct timespec at;
    struct timeval day;
    clock_gettime(CLOCK_MONOTONIC, &at);
    gettimeofday(&day, NULL);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static void *serve(void *semaphore)
{
    pthread_setname_np(pthread_self(), "Server");
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        sem_timedwait(semaphore, &until);
        working = 1;
        double since = now();
        while (now() < since + 0.02)   /* a thread's own clock runs on */
            ;
        working = 0;
        turns++;
    }
}

int main(void)
{
    pthread_t thread;
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    pthread_create(&thread, NULL, serve, &semaphore);
    for (;; frame++) {
        double before = now();
        usleep(3000);
        printf("%.3f %.3f %ld\\n", before, now() - before, (long)time(NULL));
        fflush(stdout);
        if (frame == 3)
            XUndefineCursor(NULL, 0);
        if (frame == 5)
            XDefineCursor(NULL, 0, 0);
        glXSwapBuffers(NULL, 0);
    }
}
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    if not compiler or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    folder = tmp_path_factory.mktemp("toy")
    os.environ["XDG_CACHE_HOME"], before = str(folder / "cache"), os.environ.get("XDG_CACHE_HOME")
    try:
        library = make_library()
        stamp = library.stat().st_mtime_ns
        assert library == make_library() and library.stat().st_mtime_ns == stamp  # once
    finally:
        del os.environ["XDG_CACHE_HOME"]
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
    (folder / "toy.c").write_text(TOY)
    # Linked against the library, where a game has libGL and libX11; -rdynamic lets it find the toy's own GL.
    command = [compiler, "-rdynamic", "-o", "toy", "toy.c", str(library), "-lpthread", f"-Wl,-rpath,{library.parent}"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "toy", library


@pytest.fixture
def played(toy):
    program, library = toy
    with FrameLink(64, patience_seconds=5) as link:
        process = subprocess.Popen(
            [program],
            env={**os.environ, **link.variables(library)},
            pass_fds=link.theirs,
            stdout=subprocess.PIPE,
            text=True,
        )
        link.begun()
        try:
            yield link, process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def test_the_clock_moves_a_tick_a_frame_and_only_for_the_main_thread(played):
    link, process = played
    told = []
    for number in range(6):
        link.wait(10)
        facts = link.facts()
        assert facts["frames"] == number + 1 and facts["restless"] == 0
        told.append([float(word) for word in process.stdout.readline().split()])
        picture = link.picture()
        assert picture.shape == (2, 4, 3) and (picture[0] == 9).all()
        # rows come from the bottom up; the server has had a turn for each frame before
        assert picture[1, 0].tolist() == [number, number, 0]
        assert facts["waited_us"] > 20_000  # its work, which took no game time
        assert facts["cursor_shown"] == int(3 <= number < 5)
        link.go()
    begins = [line[0] for line in told]
    assert np.diff(begins) == pytest.approx(0.05, abs=1.1e-3)  # printed with three digits
    assert {line[1] for line in told} == {0.0}  # stopped between two frames, though 3 ms went by
    assert {line[2] for line in told} == {1600000000.0}  # what random numbers are seeded with


def test_a_frame_waits_for_us(played):
    link, process = played
    link.wait(10)
    frames = link.facts()["frames"]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    assert link.facts()["frames"] == frames
    link.go()
    with pytest.raises(GameLostError, match="not waiting"):
        link.go()


def test_death_and_silence_are_told(played):
    link, process = played
    link.wait(10)
    killer = threading.Timer(0.1, process.kill)
    killer.start()
    killer.join()
    process.wait()
    link._waiting = False  # as after a go that the game still took
    with pytest.raises(GameLostError, match="the game ended"):
        link.wait(10)


def test_a_game_ends_with_its_player(toy):
    program, library = toy
    link = FrameLink(64)
    environment = {**os.environ, **link.variables(library)}
    process = subprocess.Popen([program], env=environment, pass_fds=link.theirs, stdout=subprocess.DEVNULL)
    link.begun()
    with pytest.raises(GameLostError, match="drew no picture for 0"):
        link.wait(0)
    link.wait(10)
    link.close()
    link.close()
    assert process.wait(10) == 0


def test_a_program_that_is_not_played_is_left_alone(toy):
    # Without the variable the library changes nothing: clocks are real ones.
    program, _ = toy
    environment = {name: value for name, value in os.environ.items() if name != "JARVIS_FRAMELOCK"}
    process = subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline().split() for _ in range(3)]
    process.kill()
    process.wait()
    process.stdout.close()
    assert all(float(line[1]) > 0.0025 for line in lines) and int(lines[0][2]) > 1_700_000_000


def test_both_sides_agree_on_the_header():
    struct = re.search(r"struct header \{.*?\n(.*?)\};", SOURCE.read_text(), re.DOTALL).group(1)
    fields = re.findall(r"(int\d+)_t ([\w, ]+);", struct)
    sizes = [int(kind[3:]) // 8 for kind, names in fields for _ in names.split(",")]
    assert sum(sizes) == HEADER.size and f"#define PIXELS_AT {PIXELS_AT}" in SOURCE.read_text()


def test_a_compiler_that_fails_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "/bin/false")
    with pytest.raises(EnvironmentFailure, match="/bin/false -O2 -shared"):
        make_library()
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailure, match=r"no C compiler for framelock\.c: jarvis doctor --setup luanti"):
        make_library()


# -- the game itself -------------------------------------------------------------------------------------------------


def _why_not():
    if not luanti_program() or not shutil.which("Xvfb"):
        return "needs Luanti and Xvfb: jarvis doctor --setup luanti"
    try:
        import Xlib  # noqa: F401
    except ImportError:
        return 'The Luanti environment needs an optional dependency: pip install "jarvis-agent[luanti]"'
    return None


def with_the_game(test):
    return pytest.mark.slow(pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))(test))


CENTRE = (320, 180)
SLOT_1, GRID_1, RESULT = (230, 205), (273, 91), (378, 115)  # of the inventory screen at 640 x 360


def playing(text="play", predicate=None, **start):
    return Task("luanti", Goal(text, None if predicate is None else parse(predicate)), StartState(seed=7, **start))


@pytest.fixture(scope="module")
def env():
    env = LuantiEnv()
    yield env
    env.close()


def repeat(env, count, *names, camera=(0, 0)):
    """The last step, and all events."""
    events = []
    for _ in range(count):
        step = env.step(Action.of(*names, camera=camera))
        events += [(event.name, event.item, event.count) for event in step.info["events"]]
    return step, events


def place(step):
    return np.array([step.info["location_stats"][axis] for axis in ("xpos", "ypos", "zpos")])


def click(env, start, end, *names):
    """Moves the cursor between two points of a screen and clicks there."""
    repeat(env, 1, camera=((end[1] - start[1]) * 0.15, (end[0] - start[0]) * 0.15))
    repeat(env, 1, *names)
    return repeat(env, 2)


@with_the_game
@pytest.mark.parametrize("again", ["first", "soft reset"])
def test_actions_arrive_in_the_game(env, again):
    observation, info = env.reset(playing(inventory={"oak_log": 3, "stone_pickaxe": 1, "apple": 1}), 3)
    assert info["inventory"] == {"apple": 1, "oak_log": 3, "stone_pickaxe": 1} and info["isGuiOpen"] is False
    assert observation.pov.shape == (360, 640, 3) and observation.pov.std() > 20

    step, _ = repeat(env, 1, camera=(0, 90))
    assert step.info["location_stats"]["yaw"] == pytest.approx(90, abs=0.01)  # in the same tick
    start = place(step)
    step, _ = repeat(env, 40, "forward")
    walked = place(step) - start
    assert 3 < np.hypot(walked[0], walked[2]) < 9 and walked[0] > abs(walked[2])  # to the east

    repeat(env, 1, "hotbar.2", camera=(70, 0))
    step, events = repeat(env, 60, "attack")
    assert events[0][0] == "mine_block" and events[1][0] == "pickup"
    picked = {item: step.info["inventory"][item] for name, item, _ in events if name == "pickup"}
    assert step.info["pickup"] == picked and sum(picked.values()) == len(events) // 2

    repeat(env, 1, "hotbar.3")
    repeat(env, 1)
    assert ("use_item", "apple", 1) in repeat(env, 2, "attack")[1]  # one eats with the left button

    step, _ = repeat(env, 1, "inventory")
    step, _ = repeat(env, 1)
    assert step.info["isGuiOpen"] is True
    click(env, CENTRE, SLOT_1, "attack")
    click(env, SLOT_1, GRID_1, "attack")
    step, events = repeat(env, 1, camera=((RESULT[1] - GRID_1[1]) * 0.15, (RESULT[0] - GRID_1[0]) * 0.15))
    events += repeat(env, 1, "attack")[1] + repeat(env, 2)[1]
    assert events == [("craft_item", "oak_planks", 4)]
    step, _ = repeat(env, 1, "ESC")
    step, _ = repeat(env, 1)
    assert step.info["isGuiOpen"] is False and step.info["undelivered"] == {}
    assert step.info["restless"] == 0


@with_the_game
def test_the_same_actions_lead_to_the_same_place_in_another_process(env):
    def play(env):
        random, told, frames = np.random.RandomState(0), [], []
        env.reset(playing(inventory={"stone_pickaxe": 1}), 3)
        for tick in range(100):
            if tick % 20 == 0:
                names = [name for name in ("forward", "jump", "attack", "left") if random.rand() < 0.5]
            step = env.step(Action.of(*names, camera=random.normal(0, 4, 2)))
            told.append((step.info["location_stats"], step.info["inventory"], step.info["events"]))
            frames.append(step.observation.pov)
        return told, np.stack(frames).astype(np.int16)

    env.close()  # both begin with a fresh program
    other = LuantiEnv()
    try:
        (told, frames), (told_again, frames_again) = play(env), play(other)
    finally:
        other.close()
    assert told == told_again
    differing = (frames != frames_again).any(-1)
    assert differing.mean() < 0.001 and (differing.any((1, 2))).mean() < 0.2


@with_the_game
def test_goals_are_decided_and_the_next_episode_begins_clean(env):
    goal = {"count": {"event": "mine_block", "item": "oak_log", "at_least": 1}}
    task = playing("get wood", goal, nearby={"oak_log": 8}, nearby_radius=3, inventory={"diamond_axe": 1})
    env.reset(task, 3)
    repeat(env, 1, camera=(25, 0))
    for _ in range(12):  # all around, a log is in reach
        repeat(env, 1, camera=(0, 30))
        for _ in range(10):
            step = env.step(Action.of("attack"))
            if step.terminated:
                break
        if step.terminated:
            break
    assert step.terminated and step.info["success"] and step.reward == 1
    assert step.info["mine_block"] == {"oak_log": 1} and step.info["inventory"]["oak_log"] == 1
    _, info = env.reset(task, 3)
    assert info["inventory"] == {"diamond_axe": 1} and "mine_block" not in info


@with_the_game
def test_it_is_an_environment_of_gymnasium():
    from gymnasium.utils.env_checker import check_env

    env = LuantiEnv(playing(), width=128, height=72)
    try:
        check_env(env, skip_render_check=True)
    finally:
        env.close()


@with_the_game
def test_a_game_that_dies_aborts_and_nothing_is_left(env):
    env.reset(playing(), 3)
    pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _program(pid) in ("minetest", "Xvfb")]
    mine = [pid for pid in pids if _below(pid, env.simulator.process.pid)]
    assert len(mine) == 2
    os.kill(next(pid for pid in mine if _program(pid) == "minetest"), 9)
    with pytest.raises(EnvironmentFailure, match="the game ended"):
        env.step(Action.noop())
    assert not any(os.path.exists(f"/proc/{pid}") for pid in mine)
    env.reset(playing(), 3)
    assert env.step(Action.noop()).info["tick"] == 1


def _program(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def _below(pid, ancestor):
    while pid > 1:
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
        if pid == ancestor:
            return True
    return False
