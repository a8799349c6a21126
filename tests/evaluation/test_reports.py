import json
import re
import shutil
from dataclasses import replace

import pytest
from treadmill import Player, Treadmill, mining, suite

from evaluation import evaluate
from evaluation.reports import write_report

EVIL = "mine 5 stones</script><script>alert(1)</script><b>&amp;"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("report")
    evil = replace(mining("mine_evil", 5), instructions=(EVIL,))
    tasks = suite(evil, mining("dig_ten", 10, milestones=(3, 6)), mining("dig_never", 99), each=2)
    seed = tasks.episodes("validation")[1].seed
    env = lambda: Treadmill({seed: "failure"})  # noqa: E731
    evaluate(tasks, Player(pause=4), path, policy_name="<player>", split="validation", make_env=env)
    return path


def page_and_data(folder):
    page = (folder / "report.html").read_text()
    data = re.search(r'<script type="application/json" id="episodes">(.*?)</script>', page, re.S)
    return page, json.loads(data[1])


def test_the_page_needs_nothing_else_and_believes_nobody(folder):
    page, episodes = page_and_data(folder)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page) and "@import" not in page
    assert "alert(1)</script>" not in page and "&lt;player&gt;" in page
    assert {episode["instruction"] for episode in episodes} >= {EVIL}


def test_failures_come_first_and_videos_are_inside(folder):
    _, episodes = page_and_data(folder)
    assert [episode["verdict"] for episode in episodes] == [
        "failed",
        "failed",
        "aborted",
        "success",
        "success",
        "success",
    ]
    assert all(episode["video"] for episode in episodes)
    page = write_report(folder, embed_bytes=0).read_text()
    assert '"video":' not in page and "episodes/000000.mp4" in page
    write_report(folder)


def test_numbers_on_the_page(folder):
    page, _ = page_and_data(folder)
    assert '<div class="rate">60<small> %</small></div>' in page  # 3 of 5, one aborted
    assert "interval 23.1 to 88.2" in page
    assert "the simulator did not answer within 30 s" in page
    assert "not in Minecraft" not in page  # the treadmill makes no such claim


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs chromium and chromedriver"
)
def test_it_works_in_a_browser(folder):
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(switch)
    options.binary_location = shutil.which("chromium")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.set_window_size(1280, 900)
        driver.get((folder / "report.html").as_uri())
        script = driver.execute_script
        assert [row.text.split("\n")[0] for row in driver.find_elements("css selector", ".list button")] == [
            "dig_never", "dig_never", "dig_ten", "mine_evil", "mine_evil", "dig_ten",
        ]  # fmt: skip
        assert EVIL in driver.find_element("css selector", ".list button:nth-child(4) small").text
        # the video is there and plays; attack is down in the first tick and up in the fourth
        wait = (
            "const v = document.querySelector('video'), done = arguments[0];"
            "v.readyState ? done(v.duration) : v.onloadeddata = () => done(v.duration)"
        )
        assert driver.execute_async_script(wait) == pytest.approx(21 / 20, abs=0.06)
        pressed = (
            "const v = document.querySelector('video'), done = arguments[1]; v.pause(); v.currentTime = arguments[0];"
            "v.onseeked = () => requestAnimationFrame(() => requestAnimationFrame(() =>"
            "done([...document.querySelectorAll('.screen .on')].map(n => n.dataset.key))))"
        )
        assert driver.execute_async_script(pressed, 0.06) == ["attack"]
        assert driver.execute_async_script(pressed, 0.16) == []
        script("document.querySelector('.tabs button[value=success]').click()")
        assert len(driver.find_elements("css selector", ".list button")) == 3
        assert script("return document.documentElement.scrollWidth <= window.innerWidth")
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        driver.quit()
