"""Makes recordings: players play worlds, several at once, and every frame, key and mouse motion is kept.

    report = record(make_env, make_player, [task], "out", hours=2, engine=ProcessEngine(workers=2), seed=0)
    print(report.ticks, report.quarantined)

`make_env(**options)` gives an Environment of 20 ticks a second that does not draw the mouse cursor, and
`make_player(env, task, seed)` a Player; worker processes call both, so they must be importable. Cameras are rounded to
whole mouse counts before they are played, so that what is recorded is what was played, exactly.

    OUT/record.json         what was asked for; another request for the same folder is refused
    OUT/PREFIX-000042-00.*  the recordings of episode 42, five minutes each at most (recordings.py)
    OUT/index.json          {"basedir": "", "relpaths": [...]}: the index that tools for contractor data read
    OUT/quarantine.jsonl    episodes that could not be played, after two attempts, with the reason
    OUT/done                empty, written last

An episode is played again from its seed if it was not finished; finished ones are left alone. The same request gives
the same files whatever the number of workers, and however often it was cut short.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_pipelines.contractor import WINDOW, Seen, mouse_counts, quantise_camera
from data_pipelines.engines import Engine, InlineEngine, Outcome
from data_pipelines.recordings import Recording, RecordingWriter
from data_pipelines.variations import PLAIN, Retouch, Variation, draw_variation
from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.errors import EnvironmentFailure, EpisodeError, FormatError
from jarvis.core.files import (
    DONE,
    Pathlike,
    append_json_line,
    atomic_write,
    is_done,
    read_json,
    read_json_lines,
    write_json,
)
from jarvis.core.observations import Observation
from jarvis.core.random_streams import stream_seed
from jarvis.core.tasks import Task

__all__ = ["Player", "RecordReport", "RecordingStyle", "episode_seed", "patience_for", "record", "record_episode"]

TICKS_PER_HOUR = 72_000
HOPELESS = 8  # episodes in a row that cannot be played: then it is not the episodes
TRAIN_SEEDS = 1 << 29  # seeds from here on are kept for validation and test
_COUNTERS = ("mine_block", "craft_item", "pickup", "use_item", "kill_entity", "break_item", "drop", "custom")


def _nothing() -> None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Player:
    """Who plays one episode."""

    act: Callable[[Observation, dict[str, Any]], Action]  # of an observation and its info
    truth: Callable[[], Mapping[str, Any] | None] = _nothing  # of the last act: skill, target, point, as JSON values
    done: Callable[[], bool] = _never  # asked after each act's tick: whether there is nothing left to show
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON values for the options files of the episode


@dataclass(frozen=True)
class RecordingStyle:
    """How recordings are made."""

    segment_ticks: int = 6000  # the longest recording; an episode that goes on continues in the next
    crf: int = 20  # of the video; less is better and larger
    preset: str = "superfast"  # of x264; slower ones make smaller files of the same quality
    vary: bool = False  # draw a Variation for each episode
    prefix: str = "voxel"  # of the names

    def name(self, episode: int, segment: int) -> str:
        """Of one recording."""
        return f"{self.prefix}-{episode:06d}-{segment:02d}"


@dataclass(frozen=True)
class RecordReport:
    """What is in the folder now."""

    recordings: tuple[Recording, ...]
    episodes: int  # that were played, in this run or before
    ticks: int
    quarantined: dict[int, str] = field(default_factory=dict)  # episode -> reason
    played: int = 0  # episodes that this run played
    seconds: float = 0.0  # of this run

    @property
    def hours(self) -> float:
        """Of play."""
        return self.ticks / TICKS_PER_HOUR


def episode_seed(seed: int, episode: int) -> int:
    """The seed of an episode's world: below 2**29, where no seed of the validation and test sets is."""
    return stream_seed(seed, "recording", episode) % TRAIN_SEEDS


class _Cursor:
    """Where the mouse cursor is, by MineRL's law: it starts in the middle and moves by whole counts."""

    WIDTH, HEIGHT = WINDOW[0] // 2, WINDOW[1] // 2  # the picture in which a count is a pixel

    def __init__(self) -> None:
        self._centre()
        self.inventory = False

    def _centre(self) -> None:
        self.x, self.y = self.WIDTH / 2, self.HEIGHT / 2

    def follow(self, action: Action, before: bool, after: bool) -> None:
        """A tick with the given action, with a screen open before and after."""
        if before and after:
            down, right = mouse_counts(action.camera).tolist()
            self.x = min(max(self.x + right, 0.0), self.WIDTH - 1.0)
            self.y = min(max(self.y + down, 0.0), self.HEIGHT - 1.0)
            return
        self._centre()
        self.inventory = after and bool(action["inventory"])

    def seen(self, info: Mapping[str, Any]) -> Seen:
        """What a frame with this info shows."""
        place = info.get("location_stats", {})
        opened = bool(info.get("isGuiOpen", False))
        return Seen(
            gui_open=opened,
            gui_inventory=opened and self.inventory,
            cursor=(self.x * 2, self.y * 2),
            yaw=float(place.get("yaw", 0.0)),
            pitch=float(place.get("pitch", 0.0)),
            position=(float(place.get("xpos", 0.0)), float(place.get("ypos", 0.0)), float(place.get("zpos", 0.0))),
            inventory=info.get("inventory", {}),
            stats={name: info[name] for name in _COUNTERS if name in info},
        )


def record_episode(
    env: Environment,
    player: Player,
    task: Task,
    seed: int,
    folder: Pathlike,
    *,
    episode: int = 0,
    style: RecordingStyle | None = None,
    variation: Variation = PLAIN,
    facts: Mapping[str, Any] | None = None,
) -> list[Recording]:
    """Plays one episode to its end, or until the player is done, and returns its recordings.

    facts: JSON values for the options files. Whatever the environment or the player raises is raised, and only the
    recordings that were full by then exist.
    """
    style = style or RecordingStyle()
    observation, info = env.reset(task, seed)
    height, width = observation.pov.shape[:2]
    retouch = Retouch(variation, width, height)
    cursor = _Cursor()
    made: list[Recording] = []
    ticks, over = 0, False
    while not over:
        told = {
            "episode": episode,
            "segment": len(made),
            "seed": seed,
            "task": task.to_json(),
            "variation": variation.to_json(),
            **(facts or {}),
            **player.facts,
        }
        writer = RecordingWriter(
            folder,
            style.name(episode, len(made)),
            width,
            height,
            crf=style.crf if variation.crf is None else variation.crf,
            preset=style.preset,
            server_tick=ticks,
            facts=told,
        )
        with writer:
            while not over and writer.ticks < style.segment_ticks:
                chosen = player.act(observation, info)
                action = Action(chosen.buttons, quantise_camera(chosen.camera))
                truth = dict(player.truth() or {})
                step = env.step(action)
                events = [{"name": e.name, "item": e.item, "count": e.count} for e in step.info.get("events", ())]
                if events:
                    truth["events"] = events
                writer.add(retouch.apply(observation.pov), action, cursor.seen(info), truth)
                cursor.follow(action, bool(info.get("isGuiOpen")), bool(step.info.get("isGuiOpen")))
                observation, info = step.observation, step.info
                ticks += 1
                over = step.terminated or step.truncated or player.done()
            writer.facts |= {
                "last": over,
                "success": bool(info.get("success", False)),
                "milestones": dict(info.get("milestones", {})),
            }
        made.append(writer.recording)
    return made


# many episodes


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know of one episode."""

    maker: str  # names make_env: another request's environments are not ours
    make_env: Callable[..., Environment]
    make_player: Callable[[Environment, Task, int], Player]
    task: Task
    seed: int
    episode: int
    folder: str
    style: RecordingStyle
    variation: Variation
    varied: bool
    facts: Mapping[str, Any]


_envs: dict[str, Environment] = {}  # in a worker: the environment of the last episode, used again if it fits


def _close_envs() -> None:
    for env in _envs.values():
        with suppress(Exception):
            env.close()
    _envs.clear()


def _play(job: _Job) -> int:
    """Plays one episode in this process; returns its ticks."""
    folder = Path(job.folder)
    ticks = _finished(folder, job.style, job.episode)  # by somebody who was lost before it could be told
    if ticks is not None:
        return ticks
    for leftover in _recordings_of(folder, job.style, job.episode):
        leftover.remove()
    options = job.variation.env_options() if job.varied else {}
    key = f"{job.maker} {json.dumps(options, sort_keys=True)}"
    try:
        if key not in _envs:
            _close_envs()
            _envs[key] = job.make_env(**options)
        player = job.make_player(_envs[key], job.task, job.seed)
        record_episode(
            _envs[key], player, job.task, job.seed, job.folder,
            episode=job.episode, style=job.style, variation=job.variation, facts=job.facts,
        )  # fmt: skip
    except Exception as error:
        _close_envs()  # it may be broken
        raise EpisodeError(f"{type(error).__name__}: {error}") from None  # others may not survive the pipe
    ticks = _finished(folder, job.style, job.episode)
    assert ticks is not None
    return ticks


def _finished(folder: Path, style: RecordingStyle, episode: int) -> int | None:
    """The ticks of an episode whose recordings are all there, else None."""
    ticks = 0
    for segment in range(10_000):
        recording = Recording(str(folder / style.name(episode, segment)))
        if not recording.is_finished():
            return None
        facts = recording.facts() or {}
        ticks += int(facts.get("frames", 0))
        if facts.get("last"):
            return ticks
    return None


def _recordings_of(folder: Path, style: RecordingStyle, episode: int) -> list[Recording]:
    stems = {Recording.of(path).stem for path in folder.glob(f"{style.prefix}-{episode:06d}-*")}
    return [Recording(stem) for stem in sorted(stems)]


def patience_for(tasks: Sequence[Task]) -> float:
    """Seconds in which any episode of these tasks should be over: their ticks at 2 a second, and five minutes more."""
    return 300 + max(task.max_ticks for task in tasks) / 2


def record(
    make_env: Callable[..., Environment],
    make_player: Callable[[Environment, Task, int], Player],
    tasks: Sequence[Task],
    out: Pathlike,
    *,
    hours: float | None = None,
    episodes: int | None = None,
    engine: Engine | None = None,
    seed: int = 0,
    style: RecordingStyle | None = None,
    facts: Mapping[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> RecordReport:
    """Records until there are so many episodes, or so many hours of play. Exactly one of the two is given.

    tasks: episode n plays tasks[n % len(tasks)]. engine: who plays, see `data_pipelines.engines`, with
    `patience_for(tasks)` as its deadline; None: this process. It is closed at the end. facts: JSON values for every
    options file (who plays, which world). watch: is told, about once a second, how many ticks are recorded and how many
    episodes are finished. Raises EnvironmentFailure when nothing at all can be played.
    """
    style = style or RecordingStyle()
    if (hours is None) == (episodes is None) or not tasks:
        raise ValueError("record: give either hours or episodes, and at least one task")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    request = {
        "format_version": 1,
        "seed": seed,
        "tasks": [task.to_json() for task in tasks],
        "hours": hours,
        "episodes": episodes,
        "style": asdict(style),
        "facts": dict(facts or {}),
    }
    _same_request(folder, request)
    _sweep(folder)

    maker = secrets.token_hex(8)

    def job(episode: int) -> _Job:
        varied = draw_variation(seed, "recording", episode) if style.vary else PLAIN
        return _Job(
            maker, make_env, make_player, tasks[episode % len(tasks)], episode_seed(seed, episode), episode,
            str(folder), style, varied, style.vary, facts or {},
        )  # fmt: skip

    session = _Session(folder, style, job, say or (lambda line: None), watch)
    goal = math.inf if hours is None else hours * TICKS_PER_HOUR
    started = time.monotonic()
    engine = engine or InlineEngine()
    try:
        last = session.run(engine, goal, episodes)
    finally:
        engine.close()  # with what is under way beyond what is wanted
        _close_envs()
        _sweep(folder)
    kept = [recording for episode in range(last) for recording in _recordings_of(folder, style, episode)
            if episode not in session.quarantined]  # fmt: skip
    for path in sorted(folder.glob(f"{style.prefix}-*-options.json")):  # several workers may have played further
        if int(path.name.removeprefix(f"{style.prefix}-").split("-")[0]) >= last:
            Recording.of(path).remove()
    write_json(folder / "index.json", {"basedir": "", "relpaths": [f"{recording.name}.mp4" for recording in kept]})
    atomic_write(folder / DONE, "")
    quarantined = {episode: reason for episode, reason in session.quarantined.items() if episode < last}
    ticks = sum(session.ticks.get(episode, 0) for episode in range(last))
    return RecordReport(
        tuple(kept), last - len(quarantined), ticks, quarantined, session.played, time.monotonic() - started
    )


def _sweep(folder: Path) -> None:
    for stale in folder.glob(".*.tmp*"):  # of workers that were killed
        stale.unlink(missing_ok=True)


def _same_request(folder: Path, request: dict[str, Any]) -> None:
    path = folder / "record.json"
    if path.is_file():
        before = read_json(path)
        if before != json.loads(json.dumps(request)):
            changed = sorted(name for name in request if before.get(name) != json.loads(json.dumps(request[name])))
            raise FormatError(f"{path}: the folder was begun with another {', '.join(changed)}; choose another --out")
    elif any(path.name[0] != "." for path in folder.iterdir()):
        raise FileExistsError(f"{folder} holds something else already; choose another --out")
    else:
        write_json(path, request)
    if is_done(folder):
        (folder / DONE).unlink()  # until we have looked that everything is there


class _Session:
    """The run: which episodes are under way, finished and put aside."""

    def __init__(
        self,
        folder: Path,
        style: RecordingStyle,
        job: Callable[[int], _Job],
        say: Callable[[str], None],
        watch: Callable[[int, int], None] | None = None,
    ) -> None:
        self.folder, self.style, self.job, self.say, self.watch = folder, style, job, say, watch
        self.ticks: dict[int, int] = {}
        self.quarantined: dict[int, str] = {}
        self.played = 0
        self._under_way: set[int] = set()
        self._failures_in_a_row = 0
        path = folder / "quarantine.jsonl"
        if path.is_file():
            self.quarantined = {line["episode"]: line["reason"] for line in read_json_lines(path)}

    def run(self, engine: Engine, goal: float, episodes: int | None) -> int:
        """Plays until the first episodes make `goal` ticks or are `episodes`; returns how many that are."""
        for outcome in engine.map(_play, self._jobs(goal, episodes), idle=self._tell, again=self._once_more):
            self._settle(outcome)
            self._tell()
            enough = self._enough(goal, episodes)
            if enough is not None and not any(episode < enough for episode in self._under_way):
                return enough
        enough = self._enough(goal, episodes)
        assert enough is not None
        return enough

    def _jobs(self, goal: float, episodes: int | None) -> Iterator[_Job]:
        """What is left to play, as long as there is not enough."""
        following = 0
        while following != episodes and self._enough(goal, episodes) is None:
            episode, following = following, following + 1
            if episode in self.quarantined:
                continue
            ticks = _finished(self.folder, self.style, episode)
            if ticks is None:
                self._under_way.add(episode)
                yield self.job(episode)
            else:
                self.ticks[episode] = ticks

    def _tell(self) -> None:
        if self.watch is not None:
            self.watch(sum(self.ticks.values()) + sum(map(self._played_of, self._under_way)), len(self.ticks))

    def _played_of(self, episode: int) -> int:
        """How many ticks of an episode are on the disk, about."""
        name = f"{self.style.prefix}-{episode:06d}-"
        done = sum(int((recording.facts() or {}).get("frames", 0))
                   for recording in _recordings_of(self.folder, self.style, episode))  # fmt: skip
        lines = 0
        for path in self.folder.glob(f".{name}*.tmp.jsonl"):  # two of them: the actions and the truth
            with suppress(OSError):
                lines += path.read_bytes().count(b"\n")
        return done + lines // 2

    def _enough(self, goal: float, episodes: int | None) -> int | None:
        """After how many episodes from the first there is enough, if none of them is missing."""
        total, episode = 0, 0
        while total < goal and episode != episodes:
            if episode not in self.ticks and episode not in self.quarantined:
                return None
            total += self.ticks.get(episode, 0)
            episode += 1
        return episode

    def _once_more(self, job: _Job, reason: str) -> None:
        self.say(f"episode {job.episode}: {_plain(reason)}; once more")

    def _settle(self, outcome: Outcome[_Job, int]) -> None:
        job = outcome.item
        self._under_way.remove(job.episode)
        if outcome.value is not None:
            self.ticks[job.episode] = outcome.value
            self.played += 1
            self._failures_in_a_row = 0
            self.say(f"episode {job.episode}: {outcome.value} ticks")
            return
        reason = _plain(outcome.reason or "")
        for leftover in _recordings_of(self.folder, self.style, job.episode):
            leftover.remove()
        append_json_line(
            self.folder / "quarantine.jsonl",
            {"episode": job.episode, "seed": job.seed, "attempts": outcome.attempts, "reason": reason},
        )
        self.quarantined[job.episode] = reason
        self.say(f"episode {job.episode}: put aside: {reason}")
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= HOPELESS:
            raise EnvironmentFailure(f"{self.folder}: {HOPELESS} episodes in a row could not be played: {reason}")


def _plain(reason: str) -> str:
    """Without the name of the error that carries the words of another one."""
    return reason.removeprefix(f"{EpisodeError.__name__}: ")
