"""What `jarvis evaluate` does: a policy by name, a suite by name, and words about how it went.

python -m jarvis evaluate --suite tech_tree --policy scripted --out runs/tech_tree_scripted
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_pipelines.engines import engine_of
from evaluation.baselines import NumberedNoop, NumberedRandom
from evaluation.runs import evaluate, finish_report
from evaluation.seeds import SPLITS
from evaluation.suites import Suite, get_suite
from jarvis.app.policies import load_policy
from jarvis.app.progress import Meter
from jarvis.app.runs import compile_kernels
from jarvis.app.settings import SettingsError
from jarvis.core.environments import Policy
from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["EvaluateConfig", "comparison_rows", "rate_in_words", "rows_of", "start"]

PICTURE = (128, 128)  # what VPT's policies see, for those that do not say what they want


@dataclass(frozen=True)
class EvaluateConfig:
    """Everything that can be asked of `jarvis evaluate`."""

    suite: str
    policy: str
    out: Path | None = None  # None: the next free runs/SUITE_000
    split: str = "test"
    tasks: tuple[str, ...] = ()  # only these names or groups; * at the end stands for any ending
    episodes: int | None = None  # of each task; None: the suite's own number
    env: str | None = None  # None: the suite's own
    rows: int = 4  # environments at once
    width: int | None = None  # of the picture; None: what the policy wants to see
    height: int | None = None
    videos: bool = True
    overwrite: bool = False
    judge: str | None = None  # URL#MODEL of a vision-language model that looks at the videos too
    env_options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "inline"  # who plays, see data_pipelines.engines: `rows` episodes at a time
    workers: int | None = None  # of the engine; None: one a core
    address: str | None = None  # of a Ray cluster
    gpus: float = 0.0  # of each of its workers


def start(
    config: EvaluateConfig, say: Callable[[str], None] = print, tell: Callable[[dict[str, Any]], None] | None = None
) -> tuple[Path, dict[str, Any]]:
    """Evaluates, and returns the folder and its summary. tell: gets each episode's line.

    Raises JarvisError before anything is played for what cannot be. After Ctrl-C the report shows what there is, and
    the same call goes on.
    """
    suite = get_suite(config.suite)
    if config.split not in SPLITS:
        raise UnknownNameError("split", config.split, nearest_names(config.split, SPLITS))
    if config.tasks:
        suite = suite.part(config.tasks)
    env = config.env or suite.env
    policy = _policy(config.policy, env)
    options = _env_options(config, env, policy)
    judge = _judge(config.judge, config.videos)
    if env == "voxel":
        compile_kernels(say)
    out = config.out or _free_folder(config.suite)
    count = len(suite.tasks) * (config.episodes or suite.episodes_each)
    try:
        with ExitStack() as stack:
            counted = _Counted(stack.enter_context(Meter(say, count, "episodes")), tell)
            hands = None
            if config.engine != "inline":
                hands = stack.enter_context(engine_of(config.engine, config.workers, config.address, config.gpus))
            summary = evaluate(
                suite, policy, out, policy_name=config.policy, split=config.split, episodes_each=config.episodes,
                env=env, env_options=options, rows=config.rows, videos=config.videos, overwrite=config.overwrite,
                on_episode=counted.take, engine=hands, make_policy=(_policy, (config.policy, env)),
            )  # fmt: skip
    except FileExistsError as error:
        raise SettingsError(str(error)) from None
    except KeyboardInterrupt:
        if (out / "results.jsonl").is_file():
            finish_report(out)
            say(f"{out}: report.html shows what there is; the same command goes on")
        raise
    if judge is not None:
        from evaluation.judge import judge as look

        say(f"judging the videos with {judge.model}")
        summary = summary | {"judge": look(out, judge)}
        finish_report(out)
    return out, summary


class _Counted:
    def __init__(self, meter: Meter, tell: Callable[[dict[str, Any]], None] | None) -> None:
        self._meter, self._tell = meter, tell
        self._successes = self._aborted = self._done = self._ticks = 0

    def take(self, line: dict[str, Any]) -> None:
        """Another episode is over."""
        self._done += 1
        self._ticks += line["ticks"]
        self._successes += bool(line["success"])
        if line["aborted"]:
            self._aborted += 1
            self._meter.say(f"{line['task']}, seed {line['seed']}: aborted: {line['aborted']}")
        aborted = f", {self._aborted} aborted" if self._aborted else ""
        self._meter.tell(self._done, f"{self._successes} successes{aborted}", self._ticks)
        if self._tell is not None:
            self._tell(line)


def _policy(spec: str, env: str) -> Policy:
    if env == "crafter" and spec in ("random", "noop"):
        from jarvis.envs.crafter import CRAFTER_ACTIONS

        numbered: Any = NumberedRandom(len(CRAFTER_ACTIONS)) if spec == "random" else NumberedNoop()
        return numbered  # type: ignore[no-any-return]
    if spec == "human":
        raise SettingsError("a person plays with: jarvis play --policy human; suites are for policies")
    return load_policy(spec)


def _env_options(config: EvaluateConfig, env: str, policy: Policy) -> dict[str, Any]:
    """What the environment is made with. A player that does not look gets no pictures unless somebody else does."""
    if env == "crafter":
        size = {"width": config.width, "height": config.height}
        return {name: value for name, value in size.items() if value is not None} | dict(config.env_options)
    width, height = getattr(policy, "picture_size", PICTURE)
    options: dict[str, Any] = {"width": config.width or width, "height": config.height or height}
    if env == "voxel" and not config.videos and not getattr(policy, "looks", True):
        options["draw"] = False
    return options | dict(config.env_options)


def _judge(spec: str | None, videos: bool) -> Any:
    if spec is None:
        return None
    from evaluation.judge import JudgeConfig

    url, _, model = spec.removeprefix("openai:").rpartition("#")
    if not url.startswith(("http://", "https://")) or not model:
        raise SettingsError(f"--judge {spec}: expected URL#MODEL, such as http://127.0.0.1:8000/v1#qwen3-vl")
    if not videos:
        raise SettingsError("--judge looks at videos; leave --no-videos out")
    return JudgeConfig(url, model)


def _free_folder(suite: str) -> Path:
    names = (Path("runs") / f"{suite}_{number:03d}" for number in itertools.count())
    return next(path for path in names if not path.exists())


# -- in words


def rate_in_words(counts: Mapping[str, Any]) -> str:
    """`83 % (74 to 90)`, or a dash of nothing."""
    if counts["rate"] is None:
        return "-"
    low, high = counts["interval"]
    return f"{100 * counts['rate']:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def rows_of(suite: Suite, summary: Mapping[str, Any]) -> list[list[str]]:
    """The table that the command shows: a row for each group, or for each task where there are no groups; all last."""
    parts = summary["per_group"] if suite.groups else summary["per_task"]
    rows = [_row(name, counts) for name, counts in parts.items()]
    return [*rows, _row("all", summary["overall"])]


def _row(name: str, counts: Mapping[str, Any]) -> list[str]:
    ticks = counts["ticks_to_success"]
    return [
        name, str(counts["episodes"]), str(counts["success"]), str(counts["aborted"]), rate_in_words(counts),
        "-" if ticks is None else f"{ticks[1]:.0f}",
    ]  # fmt: skip


def comparison_rows(comparison: Mapping[str, Any], every_task: bool = False) -> list[list[str]]:
    """The table of `jarvis compare`: a row for each group (and each task), all last."""
    parts = dict(comparison["per_group"])
    if every_task:
        parts |= comparison["per_task"]
    rows = [_compared(name, part) for name, part in parts.items()]
    for task, milestones in comparison["milestones"].items():
        rows += [_compared(f"{task}: {name}", part) for name, part in milestones.items()]
    return [*rows, _compared("all", comparison["overall"])]


def _compared(name: str, part: Mapping[str, Any]) -> list[str]:
    value, low, high = part["difference"]
    return [
        name, str(part["pairs"]), str(part["first"]), str(part["second"]),
        f"{100 * value:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})", f"{part['p']:.3g}",
    ]  # fmt: skip
