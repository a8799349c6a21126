from __future__ import annotations

import json
import os
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import odd_videos
import pytest

from data_pipelines.contractor import Seen
from data_pipelines.recordings import Recording, RecordingWriter
from data_pipelines.video import open_video
from data_pipelines.view import Timeline, recording_timeline, timeline_page, write_page
from jarvis.core.actions import BUTTONS, Action
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.events import Event
from jarvis.core.segments import Segment

CLIPS = os.environ.get("JARVIS_CLIPS")
PRESSED = {tick: ["forward", *(["attack"] if tick >= 20 else [])] for tick in range(40)} | {3: ["hotbar.4"]}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """40 ticks: walk, then dig from tick 20 on, with the inventory open from 30 to 34."""
    folder = tmp_path_factory.mktemp("view")
    with RecordingWriter(folder, "demo", 160, 96, facts={"seed": 7}) as writer:
        for tick in range(40):
            truth = {"coarse": "walk" if tick < 20 else "dig", "fine": "go", "target": "</script><b>stone"}
            if tick > 9:
                truth["point"] = [320.0, 90.0]
            if tick == 25:
                truth["events"] = [{"name": "mine_block", "item": "stone", "count": 1}]
            opened = 30 <= tick < 35
            seen = Seen(gui_open=opened, cursor=(640.0 + tick, 180.0), inventory={"stone": 1} if tick > 25 else {})
            writer.add(odd_videos.picture(tick), Action.of(*PRESSED[tick], camera=(0, 0.15 * tick)), seen, truth)
    return Recording(str(folder / "demo"))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_the_page_holds_what_the_recording_tells(recording):
    page = timeline_page(recording_timeline(recording.read(), curves={"loss": np.arange(40) / 2}))
    data = data_of(page)
    assert (data["ticks"], data["size"], data["rate"], data["times"]) == (40, [160, 96], 20, None)
    assert data["keys"]["forward"] == [[0, 3], [4, 40]] and data["keys"]["attack"] == [[20, 40]]
    assert data["keys"]["hotbar.4"] == [[3, 4]] and data["keys"]["jump"] == [] and set(data["keys"]) == set(BUTTONS)
    assert data["camera"][2] == [0, 0.3]
    assert data["gui"] == [[30, 35]] and data["cursor"]["31"] == [round(671 / 1280, 5), 0.25]
    assert data["points"]["10"][:2] == [0.5, 0.25] and "9" not in data["points"]
    assert data["events"] == [[25, "mine_block", "stone", 1]]
    assert data["tracks"][0] == ["skill", [[0, 20, "walk", None], [20, 40, "dig", None]]]
    assert data["curves"] == [["loss", [tick / 2 for tick in range(40)]]]
    assert data["inventory"] == [[0, {}], [26, {"stone": 1}]] and data["facts"] == {"seed": 7}


def test_names_from_files_cannot_leave_their_place(recording):
    played = recording.read()
    timeline = recording_timeline(played)
    page = timeline_page(
        Timeline("<script>alert(1)</script>", played.recording.video, timeline.buttons, timeline.camera)
    )
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    page = timeline_page(timeline)
    assert "</script><b>" not in page and data_of(page)["points"]["10"][2] == "</script><b>stone"


def test_nothing_outside_is_asked_for(recording):
    found = []

    class Addresses(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.extend(value for name, value in attributes if name in ("src", "href") and value)

    Addresses().feed(timeline_page(recording_timeline(recording.read())))
    assert found == []


def test_a_video_can_be_linked_instead(recording, tmp_path):
    inside = write_page(recording.video, tmp_path / "inside.html").read_text()
    linked = write_page(recording.actions, tmp_path / "linked.html", link=True).read_text()
    assert len(inside) - len(linked) > recording.video.stat().st_size
    address = re.search(r'data-link="([^"]+)"', linked)[1]
    assert (tmp_path / address).resolve() == recording.video.resolve()


def test_labels_must_fit_the_video(recording):
    def timeline(rows, **more):
        return Timeline("x", recording.video, np.zeros((rows, 23), np.uint8), np.zeros((rows, 2)), **more)

    timeline_page(timeline(39))  # one frame more than actions, as in a trajectory
    for rows in (0, 38, 41):
        with pytest.raises(EpisodeError, match=f"40 frames, {rows} rows of buttons"):
            timeline_page(timeline(rows))
    with pytest.raises(EpisodeError, match=r"curve loss: shape \(3,\), expected \(40,\)"):
        timeline_page(timeline(40, curves={"loss": [1, 2, 3]}))
    assert data_of(timeline_page(timeline(40, curves={"loss": np.full(40, np.nan)})))["curves"][0][1] == [None] * 40


def test_a_video_too_large_for_a_page_must_be_linked(recording, monkeypatch, tmp_path):
    monkeypatch.setattr("data_pipelines.view.LARGEST_EMBEDDED", 1000)
    with pytest.raises(FormatError, match="link the video instead"):
        write_page(recording.stem, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    write_page(recording.stem, tmp_path / "page.html", link=True)


@pytest.fixture(scope="module")
def browser():
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no browser: install chromium and chromium-driver to test the page")
    webdriver = pytest.importorskip("selenium.webdriver", reason='selenium: pip install "jarvis-agent[dev]"')
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def until(browser, condition, seconds=20):
    end = time.monotonic() + seconds
    while not browser.execute_script(f"return {condition}"):
        assert time.monotonic() < end, f"{condition} did not come true; {browser.get_log('browser')}"
        time.sleep(0.05)


def opened(browser, path, tick=0):
    browser.get("about:blank")
    browser.get(f"{path.as_uri()}#{tick}")
    until(browser, "document.body.dataset.ready && !video.seeking")


def test_the_page_in_a_browser(recording, browser, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, write_page(recording, tmp_path / "page.html"), tick=22)

    def text(name):
        return browser.find_element(By.ID, name).text

    def down():
        return [cap.text for cap in browser.find_elements(By.CSS_SELECTOR, "#keys .down")]

    assert text("skill") == "dig" and text("clock").startswith("0:01.10") and down() == ["W"]
    assert browser.execute_script("return [video.videoWidth, video.videoHeight]") == [160, 96]
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys("[")
    assert browser.execute_script("return now") == 20
    body.send_keys(Keys.ARROW_LEFT)
    assert text("skill") == "walk" and "tick 19 of 39" in text("clock")
    body.send_keys(".")
    assert browser.execute_script("return now") == 25 and "mine block stone" in text("events")
    body.send_keys(Keys.ARROW_RIGHT)
    assert text("inventory") == "stone1"
    # the picture of the tick is the one that is shown
    with open_video(recording.video) as video:
        frames = np.stack(list(video.frames())).astype(int)
    deadline, nearest = time.monotonic() + 20, -1
    while nearest != 26 and time.monotonic() < deadline:  # a busy browser shows it late
        shown = browser.execute_script(
            "const c = document.createElement('canvas'); c.width = 160; c.height = 96; const g = c.getContext('2d');"
            "g.drawImage(video, 0, 0); return Array.from(g.getImageData(0, 0, 160, 96).data)"
        )
        picture = np.reshape(shown, (96, 160, 4))[..., :3]
        nearest = int(np.abs(picture - frames).mean(axis=(1, 2, 3)).argmin())
    assert nearest == 26
    # a click on the timeline seeks; what lies over the picture is drawn
    timeline = browser.find_element(By.ID, "timeline")
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element_with_offset(timeline, timeline.size["width"] // 2 - 4, 0).click().perform()
    assert browser.execute_script("return now") == 39
    body.send_keys(Keys.HOME, " ")
    until(browser, "now > 5")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert len(browser.get_screenshot_as_png()) > 20_000
    for width in (1000, 600):  # everything is within a narrower window
        browser.set_window_size(width, 900)
        until(browser, "document.documentElement.scrollWidth <= innerWidth")
        assert browser.execute_script(
            "return document.querySelector('aside').getBoundingClientRect().right <= innerWidth"
        )
    browser.set_window_size(1280, 900)


def test_a_plain_video_with_uneven_frames_in_a_browser(browser, tmp_path):
    """The clock of the page follows the frames, whatever the file says of time."""
    video = odd_videos.variable_rate(tmp_path / "a.mp4")
    tracks = {"found": [Segment(0, 100, 3, "loss", 0.5)]}
    rest = np.zeros((100, 23), np.uint8), np.zeros((100, 2))
    timeline = Timeline("pause", video, *rest, source="idm", events=[Event(50, "pickup", "dirt")], tracks=tracks)
    page = tmp_path / "page.html"
    page.write_text(timeline_page(timeline))
    opened(browser, page, tick=60)
    assert browser.execute_script("return [now, Math.round(video.currentTime * 100)]") == [60, 800]
    assert browser.execute_script("return [tickAt(1.96), tickAt(6.9), tickAt(7.0)]") == [39, 39, 40]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.mark.skipif(not CLIPS, reason="set JARVIS_CLIPS to a folder of real clips")
def test_real_clips_have_a_page(tmp_path):
    for path in sorted(Path(CLIPS or "").glob("*.mp4")):
        with open_video(path) as video:
            count = video.info.num_frames
        page = timeline_page(Timeline(path.stem, path, np.zeros((count, 23), np.uint8), np.zeros((count, 2))))
        assert data_of(page)["ticks"] == count
