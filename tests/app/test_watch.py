from __future__ import annotations

import http.client
import json
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest

from jarvis.app.people import HumanPolicy
from jarvis.app.playing import Beginning, Outcome, Tick, play_episode
from jarvis.app.policies import EndOfPlay, load_policy
from jarvis.app.watch import Page
from jarvis.core import Action, Goal, Observation, StartState, Task
from jarvis.core.predicates import parse
from jarvis.envs.voxel import VoxelEnv
from jarvis.world.menus import LAYOUTS

PLANKS = parse({"count": {"event": "craft_item", "item": "oak_planks", "at_least": 4}})
CARPENTRY = Task(
    "carpentry",
    Goal("craft planks", PLANKS),
    StartState(slots={0: ("oak_log", 2)}, time=6000),
    max_ticks=100000,
    milestones={"planks": PLANKS},
)
MIDDLE = (320, 180)  # where the cursor of a screen begins, in its 640 x 360 pixels
RESULT, GRID, FIRST_HOTBAR = 0, 1, 36  # slots of the inventory screen


def begin(page: Page, colour: int = 0) -> None:
    frame = np.full((36, 64, 3), colour, np.uint8)
    page.begin(Beginning(CARPENTRY, 7, Observation(frame), {"inventory": {"oak_log": 2}}))


def tick(page: Page, number: int, colour: int, milestones: tuple[str, ...] = ()) -> None:
    info = {"inventory": {"oak_log": np.int64(2)}, "isGuiOpen": False, "success": False}
    frame = np.full((36, 64, 3), colour, np.uint8)
    page.tick(Tick(number, Action.of("jump", camera=(0, 1.5)), Observation(frame), info, (), milestones))


def ask(page: Page, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """One request; headers are written with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


class Viewer:
    """Reads the stream as the page does."""

    def __init__(self, page: Page) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
        self.connection.request("GET", f"/{page.token}/stream")
        self.answer = self.connection.getresponse()

    def message(self) -> tuple[dict[str, Any], np.ndarray | None] | None:
        head = self.answer.read(8)
        if not head:
            return None
        lengths = struct.unpack(">II", head)
        state, picture = self.answer.read(lengths[0]), self.answer.read(lengths[1])
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR_RGB) if picture else None
        return json.loads(state), image

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


# -- who may ask


@pytest.fixture
def page() -> Iterator[Page]:
    with Page(human=True, about={"policy": "human"}).open() as page:
        yield page


def test_the_page_and_its_parts_are_served_behind_the_token(page):
    status, content = ask(page, f"/{page.token}/")
    assert status == 200 and b"watch.js" in content
    assert [ask(page, f"/{page.token}/{part}")[0] for part in ("watch.js", "watch.css", "icons.json")] == [200] * 3
    names = json.loads(ask(page, f"/{page.token}/icons.json")[1])
    icons = cv2.imdecode(np.frombuffer(ask(page, f"/{page.token}/icons.png")[1], np.uint8), cv2.IMREAD_UNCHANGED)
    assert icons.shape == (16 * len(names), 16, 4) and "oak_log" in names


@pytest.mark.parametrize("path", ["/", "/watch.js", "/guess/", "/{token}x/", "/{token}", "/{token}/a/b"])
def test_without_the_token_nothing_is_told(page, path):
    assert ask(page, path.format(token=page.token)) == (403, b"Forbidden\n")


def test_no_file_but_the_page_s_own_is_served(page):
    assert ask(page, f"/{page.token}/cli.py")[0] == 404
    assert ask(page, f"/{page.token}/..%2Fcli.py")[0] == 404


def test_a_rebound_name_and_a_foreign_page_are_refused(page):
    home = f"127.0.0.1:{page.port}"
    path = f"/{page.token}/control"
    assert ask(page, path, {"pause": True}, Host=f"evil.example:{page.port}")[0] == 403
    assert ask(page, path, {"pause": True}, Origin="http://evil.example")[0] == 403
    assert ask(page, path, {"pause": True}, Origin="null")[0] == 403
    assert ask(page, path, {"pause": True}, Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(page, f"/{page.token}/", Host="evil.example")[0] == 403
    assert ask(page, path, {"pause": True}, Origin=f"http://{home}", Sec_Fetch_Site="same-origin")[0] == 204
    assert ask(page, path, {"pause": True}, Host=f"localhost:{page.port}")[0] == 204


def test_only_this_machine_can_connect(page):
    assert page._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("control", {"pause": 1}),
        ("control", {"speed": 3}),
        ("control", {"pause": True, "end": True}),
        ("control", []),
        ("input", {"down": "forward"}),
        ("input", [["down", "fly"]]),
        ("input", [["turn", 1e300, 0]]),
    ],
)
def test_nonsense_is_refused_with_the_reason(page, where, body):
    status, reason = ask(page, f"/{page.token}/{where}", body)
    assert status == 400 and reason
    assert page.hands.take() == Action.noop()


def test_long_and_lengthless_messages_are_refused(page):
    assert ask(page, f"/{page.token}/input", [["release"]] * 10000)[0] == 413
    assert ask(page, f"/{page.token}/input", [["release"]], Content_Length="-1")[0] == 413


def test_keys_reach_a_person_s_hands_and_nobody_else_s(page):
    keys = [["down", "forward"], ["turn", 10, 4]]
    assert ask(page, f"/{page.token}/input", keys)[0] == 204
    assert page.hands.take() == Action.of("forward", camera=(4 * 0.15, 10 * 0.15))
    with Page().open() as other:
        assert ask(other, f"/{other.token}/input", keys)[0] == 404


# -- what is shown


def test_a_viewer_sees_the_newest_frame_and_the_state_with_it():
    with Page(about={"policy": "random", "episodes": 2}).open() as page:
        begin(page, 50)
        viewer = Viewer(page)
        state, picture = viewer.message()
        assert (state["task"], state["seed"], state["tick"], state["policy"]) == ("carpentry", 7, 0, "random")
        assert state["milestones"] == [["planks", None]] and picture.shape == (36, 64, 3)
        assert abs(int(picture.mean()) - 50) <= 1
        tick(page, 0, 150, ("planks",))
        state, picture = viewer.message()
        assert (state["tick"], state["pressed"], state["camera"]) == (1, ["jump"], [0.0, 1.5])
        assert state["milestones"] == [["planks", 0]] and state["facts"]["inventory"] == {"oak_log": 2}
        assert abs(int(picture.mean()) - 150) <= 1
        page.control({"pause": True})
        state, picture = viewer.message()
        assert state["paused"] and picture is None  # the picture is the same: it is not sent again
        page.end(Outcome(True, 1, {"planks": 0}))
        state, _ = viewer.message()
        assert state["status"] == "over" and state["success"]
    state, _ = viewer.message()
    assert state["closed"] and viewer.message() is None
    viewer.close()


def test_a_second_episode_begins_anew():
    page = Page()
    begin(page)
    tick(page, 0, 10, ("planks",))
    page.end(Outcome(False, 1, aborted="environment: gone"))
    begin(page)
    assert page._state["milestones"] == [["planks", None]] and page._state["aborted"] is None
    assert (page._state["episode"], page._state["tick"]) == (1, 0)


# -- the clock


class Runner:
    """Counts the ticks that the page lets begin."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                self.page.pace()
            except EndOfPlay:
                return
            self.count += 1

    def during(self, seconds: float) -> int:
        """How many within this time."""
        before = self.count
        time.sleep(seconds)
        return self.count - before

    def stop(self) -> None:
        self.page.control({"end": True})
        self.thread.join(10)
        assert not self.thread.is_alive()


def test_time_passes_at_the_speed_that_is_chosen():
    page = Page()
    runner = Runner(page)
    page.control({"speed": 4})
    assert 4 <= runner.during(0.5) <= 65  # 40, and what was due; a busy machine plays fewer
    page.control({"speed": 0})
    assert runner.during(0.2) > 100
    runner.stop()


def test_a_pause_stops_time_and_steps_pass_through_it():
    page = Page()
    page.control({"pause": True})
    runner = Runner(page)
    assert runner.during(0.2) == 0
    page.control({"step": True})
    page.control({"step": True})
    until(lambda: runner.count == 2)
    assert runner.during(0.3) == 0
    runner.stop()


def test_time_stands_still_when_the_player_s_page_is_closed():
    with Page(human=True).open() as page:
        begin(page)
        viewer = Viewer(page)
        viewer.message()
        page.control({"pause": False})
        page.hands.hear([["down", "forward"]])
        assert page.hands.take()["forward"]
        viewer.close()
        deadline = time.monotonic() + 10
        while not page._paused and time.monotonic() < deadline:
            time.sleep(0.05)
        assert page._paused and page.hands.take() == Action.noop()


# -- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no browser: install chromium and chromium-driver to test the page")
    webdriver = pytest.importorskip("selenium.webdriver", reason='selenium: pip install "jarvis-agent[dev]"')
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run", "disable-sync",
        "window-size=1366,900", f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


class Game:
    """A person's episode in a thread of its own, with the last tick to look at."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outcome: Outcome | None = None
        self.env = VoxelEnv(width=128, height=72)
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def _play(self) -> None:
        self.outcome = play_episode(
            self.env, HumanPolicy(self.page.hands), CARPENTRY, 3, [self.page], pace=self.page.pace
        )

    @property
    def state(self) -> dict[str, Any]:
        return self.page._state

    @property
    def place(self) -> dict[str, float]:
        return self.state["facts"]["location_stats"]

    @property
    def in_screen(self) -> bool:
        return self.state["facts"]["isGuiOpen"]


@contextmanager
def playing(browser) -> Iterator[Game]:
    with Page(human=True, about={"policy": "human", "environment": "voxel"}).open() as page:
        game = Game(page)
        browser.get(page.url)
        until(lambda: game.state["status"] == "playing", 90)
        yield game
        page.control({"end": True})
        game.thread.join(10)
        game.env.close()
        browser.get("about:blank")


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_a_person_walks_turns_and_crafts_in_the_browser(browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    def do() -> ActionChains:
        return ActionChains(browser, duration=0)

    def shown(name: str) -> str:
        return browser.find_element(By.ID, name).text

    def picture() -> str:
        return browser.execute_script("return document.getElementById('view').toDataURL()")

    with playing(browser) as game:
        until(lambda: shown("veil-title") == "Click to play")
        assert game.state["tick"] == 0  # time stands still until somebody plays
        assert shown("goal").lower() == "craft planks"
        do().move_to_element(browser.find_element(By.ID, "screen")).click().perform()
        until(lambda: game.state["tick"] > 2)
        until(lambda: not browser.find_element(By.ID, "veil").is_displayed())

        before, x, z = picture(), game.place["xpos"], game.place["zpos"]
        do().key_down("w").perform()
        until(lambda: abs(game.place["xpos"] - x) + abs(game.place["zpos"] - z) > 0.5)
        until(lambda: "down" in browser.execute_script("return lampOf.forward.className"))
        do().key_up("w").perform()
        until(lambda: "forward" not in game.state["pressed"])
        until(lambda: picture() != before)

        yaw, pitch = game.place["yaw"], game.place["pitch"]
        do().move_by_offset(100, -20).perform()  # counts of 0.15 degrees
        until(lambda: game.place["yaw"] != yaw and game.place["pitch"] != pitch)
        until(lambda: game.state["camera"] == [0.0, 0.0])
        assert (game.place["yaw"] - yaw) % 360 == pytest.approx(15.0, abs=1e-3)
        assert game.place["pitch"] - pitch == pytest.approx(-3.0, abs=1e-3)

        do().send_keys("e").perform()
        until(lambda: game.in_screen)
        cursor = MIDDLE

        def click_slot(slot: int) -> None:
            nonlocal cursor
            target = LAYOUTS["player"].centre(slot)
            # A count moves the cursor by one pixel of the 640 x 360 screen.
            do().move_by_offset(target[0] - cursor[0], target[1] - cursor[1]).perform()
            cursor = target
            at = game.state["tick"]
            until(lambda: game.state["tick"] > at + 2 and game.state["camera"] == [0.0, 0.0])
            do().click().perform()
            at = game.state["tick"]
            until(lambda: game.outcome or (game.state["tick"] > at + 3 and not game.state["pressed"]))

        click_slot(FIRST_HOTBAR)
        click_slot(GRID)
        click_slot(RESULT)
        until(lambda: game.outcome is not None)
        assert game.outcome.success and game.outcome.aborted is None
        until(lambda: shown("veil-title") == "Reached")
        assert shown("state") == "reached" and "planks" in shown("milestones")
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_leaving_the_page_releases_the_keys_and_stops_time(browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    with playing(browser) as game:
        screen = browser.find_element(By.ID, "screen")
        until(lambda: browser.find_element(By.ID, "veil-title").text == "Click to play")
        ActionChains(browser, duration=0).move_to_element(screen).click().key_down("w").perform()
        until(lambda: "forward" in game.state["pressed"])
        browser.execute_script("dispatchEvent(new Event('blur'))")
        until(lambda: game.page._paused)
        at = game.state["tick"]
        until(lambda: browser.find_element(By.ID, "veil-title").text == "Paused")
        assert game.state["tick"] <= at + 1
        game.page.control({"step": True})
        until(lambda: game.state["pressed"] == [])


def test_a_policy_is_watched_paused_and_stepped(browser):
    from selenium.webdriver.common.by import By

    with Page(about={"policy": "random", "environment": "voxel", "episodes": 1}).open() as page:
        env = VoxelEnv(width=128, height=72)
        episode = (env, load_policy("random"), CARPENTRY, 3, [page])
        thread = threading.Thread(target=play_episode, args=episode, kwargs={"pace": page.pace}, daemon=True)
        thread.start()
        browser.get(page.url)
        until(lambda: page._state["tick"] > 5, 90)
        browser.find_element(By.ID, "pause").click()
        until(lambda: page._paused)
        until(lambda: browser.find_element(By.ID, "state").text == "paused")
        time.sleep(0.2)
        at = page._state["tick"]
        browser.find_element(By.ID, "step").click()
        until(lambda: page._state["tick"] == at + 1)
        until(lambda: f"{at + 1} of 100,000" in browser.find_element(By.ID, "tick").text)
        browser.find_element(By.ID, "end").click()
        thread.join(10)
        assert not thread.is_alive()
    until(lambda: browser.find_element(By.ID, "veil-title").text == "Episode over")
    env.close()
