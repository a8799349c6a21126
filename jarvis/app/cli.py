"""The program `jarvis`: what can be typed, and what it answers.

    jarvis play --task craft_diamond
    jarvis tasks --json
    jarvis doctor --setup minerl

Every command takes `--seed`, `--json`, `--config FILE` and `--set a.b=value`. Exit codes: 0 done, 1 failure, 2 usage,
3 partial, 130 interrupted. What a command needs it imports when it runs, so that help is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from jarvis import __version__
from jarvis.core.errors import JarvisError

__all__ = ["app", "main"]

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="jarvis",
    help="Agents that learn Minecraft from video and from play, by keyboard and mouse.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,  # boxes are for eyes, and cost a tenth of a second
    context_settings={"help_option_names": ["-h", "--help"]},
)


# -- what every command shares


def _settle(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Lays the file and the assignments under the options that are typed, whichever of both comes first."""
    given = ctx.meta.setdefault("jarvis.settings", {})
    given[param.name] = value
    if value and not ctx.resilient_parsing:  # not while completing
        from jarvis.app.settings import settle

        own = [option.name for option in ctx.command.params if option.name not in _SHARED]
        known = [*own, *_MAPPINGS.get(ctx.command.name or "", ())]
        ctx.default_map = settle(given.get("config"), given.get("assignments") or (), known)
    return value


_SHARED = ("config", "assignments", "help")
_MAPPINGS = {"play": ("env_options",)}  # settings that are mappings, so that no option can hold them

Seed = Annotated[int | None, typer.Option("--seed", help="Where randomness begins.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Results as JSON on standard output, one value a line.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML with options.", is_eager=True, callback=_settle),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="One option; wins over --config.", is_eager=True, callback=_settle),
]


def _print_json(value: Any) -> None:
    print(json.dumps(value, allow_nan=False), flush=True)


def _to_log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _to_person(line: str) -> None:
    print(line, flush=True)


def _show_version(value: bool) -> None:
    if value:
        print(f"jarvis {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="The version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


# -- completion


def _task_names(incomplete: str) -> list[str]:
    from evaluation.tasks import names

    return [name for name in names() if name.startswith(incomplete)]


def _environment_names(incomplete: str) -> list[str]:
    from jarvis.envs.registry import ENVIRONMENTS

    return [name for name in ENVIRONMENTS if name.startswith(incomplete)]


def _policy_names(incomplete: str) -> list[str]:
    from jarvis.app.policies import POLICIES

    specs = [f"{name}:" if wanted else name for name, (_, wanted) in POLICIES.items()]
    return [spec for spec in specs if spec.startswith(incomplete)]


# -- commands


@app.command()
def play(
    ctx: typer.Context,
    task: Annotated[
        str, typer.Option("--task", metavar="NAME", help="What to do: see `jarvis tasks`.", autocompletion=_task_names)
    ],
    env: Annotated[
        str,
        typer.Option(
            "--env", metavar="NAME", help="voxel, minerl, minestudio or crafter.", autocompletion=_environment_names
        ),
    ] = "voxel",
    policy: Annotated[
        str,
        typer.Option(
            "--policy", metavar="SPEC", help="random, noop, replay:FILE or human.", autocompletion=_policy_names
        ),
    ] = "random",
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="How many; each has the next seed.")] = 1,
    max_ticks: Annotated[
        int | None,
        typer.Option("--max-ticks", min=1, help="Ends an episode, 20 a second; else the task does."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where files go; else the next free runs/TASK_000.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it live on a local page, in real time.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    width: Annotated[
        int | None, typer.Option("--width", min=1, help="Of the picture; else the environment's own.")
    ] = None,
    height: Annotated[int | None, typer.Option("--height", min=1, help="Likewise.")] = None,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Play a task, tell its milestones as they fall, and write a video and the results.

    The episode k has the seed SEED + k; SEED is 0 if it is not given, or that of the episode that is replayed.
    An interrupted run goes on with what is missing when it is started again with the same options.
    """
    from jarvis.app.runs import PlayConfig
    from jarvis.app.runs import play as run
    from jarvis.app.settings import SettingsError

    env_options = (ctx.default_map or {}).get("env_options") or {}
    if not isinstance(env_options, dict):
        raise SettingsError(f"env_options: {env_options!r:.100}, expected a mapping such as env_options.fov=90")
    asked = PlayConfig(
        task, env, policy, episodes, seed, max_ticks, out, overwrite, watch, port, width, height, env_options
    )
    return run(asked, _to_log if as_json else _to_person, _print_json if as_json else None)


@app.command()
def tasks(
    as_json: Json = False,
    seed: Seed = None,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """List what can be played: names, goals, time limits, starts."""
    from evaluation.tasks import get, names

    every = [get(name) for name in names()]
    if as_json:
        for one in every:
            start = one.start.to_json()
            milestones = list(one.milestones)
            facts = {"name": one.name, "goal": one.goal.text, "max_ticks": one.max_ticks, "start": start}
            _print_json(facts | {"milestones": milestones})
        return OK
    rows = [(one.name, one.goal.text, str(one.max_ticks), _start_in_words(one.start)) for one in every]
    _table(("task", "goal", "ticks", "start"), rows)
    return OK


def _start_in_words(start: Any) -> str:
    parts = []
    for name, value in start.to_json().items():
        if isinstance(value, dict):
            value = ", ".join(f"{part} {key}" if name != "rarity" else f"{key} {part}" for key, part in value.items())
        parts.append(str(value) if name == "inventory" else f"{name} {value}")
    return "; ".join(parts) or "new world"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, tab-separated lines anywhere else: those can be cut and sorted."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in head:
        table.add_column(title, no_wrap=title == head[0])
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@app.command()
def doctor(
    setup: Annotated[
        str | None, typer.Option("--setup", metavar="GAME", help="Show the steps that set up minerl or minestudio.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="With --setup: carry the steps out.")] = False,
    as_json: Json = False,
    seed: Seed = None,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Say what is installed, what is missing, and the command that adds it."""
    from jarvis.envs.doctor import check_machine, run_steps, setup_steps

    if setup is not None:
        steps = setup_steps(setup)
        if run:
            return OK if run_steps(steps, _to_log if as_json else _to_person) == 0 else FAILURE
        for step in steps:
            if as_json:
                variables = dict(step.environment or {})
                _print_json({"command": list(step.command), "why": step.why, "environment": variables})
            else:
                print(f"# {step.why}\n{step}\n" if step.command else f"# {step.why}\n")
        return OK
    if run:
        from jarvis.app.settings import SettingsError

        raise SettingsError("--run carries out the steps of --setup: jarvis doctor --setup minerl --run")
    checks = check_machine()
    if as_json:
        for check in checks:
            _print_json(check.to_json())
    else:
        _table(
            ("what", "status", "found", "needed for", "to mend it"),
            [(check.name, check.status, check.found, check.needed_for, check.mend) for check in checks],
        )
    return FAILURE if any(check.status == "missing" for check in checks) else OK


# -- the way in and out


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    try:
        command = typer.main.get_command(app)
        code = command.main(args=arguments, prog_name="jarvis", standalone_mode=False)
        return code if isinstance(code, int) else OK
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except JarvisError as error:
        print(f"jarvis: {error}", file=sys.stderr)
        return USAGE if isinstance(error, ValueError) else FAILURE
    except OSError as error:
        print(f"jarvis: {error}", file=sys.stderr)
        return USAGE if isinstance(error, (FileNotFoundError, FileExistsError, NotADirectoryError)) else FAILURE
    except Exception as error:
        if not hasattr(error, "format_message"):  # not typer's
            raise
        print(f"jarvis: {error.format_message()}", file=sys.stderr)
        context = getattr(error, "ctx", None)
        print(f"Try: {context.command_path if context else 'jarvis'} --help", file=sys.stderr)
        return int(getattr(error, "exit_code", USAGE))
