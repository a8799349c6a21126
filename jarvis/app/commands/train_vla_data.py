"""jarvis train vla-data trajectories --task "craft_*" --episodes 500 --out data/steps"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from jarvis.app.commands.options import (
    OK,
    Assignments,
    Config,
    Json,
    Seed,
    policy_names,
    print_json,
    task_names,
    to_log,
    to_person,
)


def train_vla_data(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="language, vision or trajectories.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of samples.")],
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", metavar="NAME", autocompletion=task_names,
            help="What is played, in turn; NAME* is every task that begins so. May be given several times. "
            " [default: every atomic task]",
        ),
    ] = None,
    pictures: Annotated[int, typer.Option("--pictures", min=1, help="Of the vision stage.")] = 2000,
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="Of the trajectories stage.")] = 200,
    source: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="DIR", help="Trajectories from recordings or datasets, instead of playing."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="SPEC", help="It plays along and the demonstrator says what is right (DAgger).",
            autocompletion=policy_names,
        ),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="With --policy: of ticks that are its own.")
    ] = 0.5,
    own: Annotated[bool, typer.Option("--own", help="With --policy: its own successes (expert iteration).")] = False,
    split: Annotated[str, typer.Option("--split", help="Of the language stage: train or validation.")] = "train",
    max_ticks: Annotated[int | None, typer.Option("--max-ticks", min=1, help="Ends an episode.")] = None,
    width: Annotated[int, typer.Option("--width", min=16, help="Of the pictures.")] = 224,
    height: Annotated[int, typer.Option("--height", min=16, help="Likewise.")] = 126,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:  # fmt: skip
    """Make what a stage of post-training learns from.

    language: questions and answers about the rules of the game. vision: captions, recognition and pointing, from the
    voxel world's truth. trajectories: what the demonstrator does, or recordings and labelled datasets whose segments
    have names. Worlds are of the training seeds. The folder says how it was made.
    """
    from jarvis.app.settings import SettingsError
    from jarvis.core.errors import UnknownNameError, nearest_names
    from vla.demonstrations import Counted
    from vla.samples import SampleWriter

    stages = ("language", "vision", "trajectories")
    if stage not in stages:
        raise UnknownNameError("stage", stage, nearest_names(stage, stages))
    if (own or source) and ((own and policy is None) or (source and (policy or task))):
        raise SettingsError("--own needs --policy; --from goes without --task and --policy")
    if split not in ("train", "validation"):
        raise UnknownNameError("split", split, nearest_names(split, ("train", "validation")))
    begun, counted = seed or 0, Counted()
    size = {"width": width, "height": height}

    def made() -> Iterator[Any]:
        if stage == "language":
            from vla.questions import language_samples

            yield from language_samples(split)
        elif stage == "vision":
            from vla.grounding import grounding_samples

            yield from grounding_samples(_tasks(task), pictures, begun, **size)
        elif source:
            from vla.demonstrations import labelled, recorded

            for folder in source:
                reader = labelled if (folder / "dataset.json").is_file() else recorded
                yield from reader(folder, counted=counted, **size)
        else:
            from jarvis.app.policies import load_policy
            from vla.demonstrations import demonstrations, expert_iteration

            player = None if policy is None else load_policy(policy)
            if own:
                assert player is not None
                yield from expert_iteration(
                    player, _tasks(task), episodes, begun, max_ticks=max_ticks, counted=counted, **size
                )
            else:
                yield from demonstrations(
                    _tasks(task), episodes, begun, policy=player, share=share, max_ticks=max_ticks, counted=counted,
                    **size,
                )  # fmt: skip

    command = ["jarvis", *sys.argv[1:]]
    about = {"stage": stage, "seed": begun, "policy": policy, "own": own, "command": " ".join(command)}
    with SampleWriter(out, about) as writer:
        for sample in made():
            writer.add(sample)
        if not writer.count:
            raise SettingsError(f"{out}: not a single sample came of it: {counted.episodes} episodes were played or "
                                f"read, {counted.successes} reached their goal")  # fmt: skip
        writer.provenance |= {"episodes": counted.episodes, "successes": counted.successes, "ticks": counted.ticks}
    facts = {"out": str(out), "samples": writer.count, "episodes": counted.episodes, "successes": counted.successes}
    if as_json:
        print_json(facts)
    else:
        (to_log if as_json else to_person)(f"{out}: {writer.count} samples of {counted.episodes} episodes")
    return OK


def _tasks(patterns: list[str] | None) -> list[Any]:
    """The tasks that names and NAME* stand for, all atomic ones without any; those that the demonstrator can go for."""
    from evaluation.suites import get_suite
    from evaluation.tasks import get, names
    from jarvis.app.demonstrator import CannotPlayError, new_player

    asked: list[str] = []
    for pattern in patterns or []:
        if pattern.endswith("*"):
            known = [*names(), *get_suite("atomic").tasks]
            asked += [name for name in dict.fromkeys(known) if name.startswith(pattern[:-1])]
        else:
            asked.append(pattern)
    if not patterns:
        asked = list(get_suite("atomic").tasks)
    playable = []
    for name in dict.fromkeys(asked):
        task = get(name)
        try:
            new_player(task, 0)
        except CannotPlayError:
            if patterns and name in patterns:
                raise
            continue
        playable.append(task)
    return playable
