"""`jarvis learn`: propose, practise, verify, relabel, train, evaluate, over and over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jarvis.app.commands.options import (
    OK,
    Assignments,
    Config,
    Json,
    Seed,
    environment_names,
    mapping_of,
    print_json,
    takes_settings,
    to_log,
    to_person,
)

__all__ = ["learn"]


@takes_settings("ppo", "model", "expert")
def learn(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Of the run; one that was killed goes on where it was.")
    ],
    curriculum: Annotated[
        str,
        typer.Option(
            "--curriculum",
            metavar="NAME",
            help="techtree, envgen, lma3 or webrl; controls: uniform, random, fixed, none.",
        ),
    ] = "techtree",
    env: Annotated[
        str, typer.Option("--env", metavar="NAME", help="Where to practise.", autocompletion=environment_names)
    ] = "voxel",
    llm: Annotated[
        str, typer.Option("--llm", metavar="SPEC", help="none, replay:FILE, cache:URL#MODEL or URL#MODEL.")
    ] = "none",
    budget: Annotated[
        str,
        typer.Option("--budget", metavar="LIMITS", help="For instance 2usd,40calls,100000tokens,600s,500000steps."),
    ] = "",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Ticks of practice in all.")] = 200_000,
    cycles: Annotated[int, typer.Option("--cycles", min=1, help="Times that lessons are proposed.")] = 4,
    evaluations: Annotated[
        int, typer.Option("--evaluations", min=1, help="Episodes of an evaluation; mastery needs 20.")
    ] = 20,
    selector: Annotated[
        str, typer.Option("--selector", metavar="NAME", help="learning_progress, uniform or sec.")
    ] = "",
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="SPEC", help="Improve this policy by expert iteration instead of a new one."),
    ] = "",
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Learn what can be learnt next, and keep a book of it.

    Settings beside the options: ppo.rows, ppo.workers, ...; model.temperature, model.usd_in, ... of the language model;
    expert.train, the command that trains a policy given by --policy. DIR/page.html shows the book.
    """
    import dataclasses

    from jarvis.app.curriculum.llm import parse_budget, parse_llm
    from jarvis.app.curriculum.loop import LearnConfig
    from jarvis.app.curriculum.loop import learn as run

    asked = LearnConfig(
        env=env, curriculum=curriculum, selector=selector, seed=seed or 0, steps=steps, cycles=cycles,
        evaluations=evaluations, ppo=mapping_of(ctx, "ppo"), budget=parse_budget(budget),
        llm=_with(dataclasses.replace, parse_llm(llm), mapping_of(ctx, "model")), policy=policy,
        expert=mapping_of(ctx, "expert"),
    )  # fmt: skip
    say = to_log if as_json else to_person
    outcome = run(asked, out, say)
    if as_json:
        print_json(outcome)
    else:
        say(f"{outcome['mastered']} of {outcome['goals']} goals mastered; the book is at {out / 'page.html'}")
    return OK


def _with(replace, config, changes):  # noqa: ANN001, ANN202
    from jarvis.app.settings import SettingsError

    try:
        return replace(config, **changes)
    except TypeError as error:
        raise SettingsError(f"model: {error}") from None
