"""The program `jarvis`: what can be typed, and what it answers.

    jarvis play --task craft_diamond
    jarvis tasks --json
    jarvis doctor --setup minerl

Every command takes `--seed`, `--json`, `--config FILE` and `--set a.b=value`. Exit codes: 0 done, 1 failure, 2 usage,
3 partial, 130 interrupted. The table COMMANDS is all that is loaded for `jarvis --help`; a command's module is imported
when it is typed. How to add one: jarvis/app/commands/__init__.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from jarvis import __version__
from jarvis.app.commands.options import FAILURE, INTERRUPTED, OK, USAGE
from jarvis.core.errors import JarvisError

# NOTE: before torch is loaded. Threads that spin while they wait slow a small model down many times on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = ["COMMANDS", "main"]

# name: (module of jarvis.app.commands and the function of that name in it, or a table of more commands; its one line)
COMMANDS: dict[str, tuple[str | dict[str, Any], str]] = {
    "play": ("play", "Play a task, and write a video and the results."),
    "label": ("label", "Label videos with the keys and the mouse motion that were used."),
    "segment": ("segment", "Cut labelled play into skills."),
    "record": ("record", "Record play as video, keys and mouse, to learn from."),
    "evaluate": ("evaluate", "Judge a policy by a suite of tasks, with intervals."),
    "compare": ("compare", "Compare two evaluations on their equal episodes."),
    "data": (
        {
            "inspect": ("data_inspect", "Tell what recordings or a dataset hold."),
            "validate": ("data_validate", "Read every recording or clip, and tell which are damaged."),
            "view": ("data_view", "Make a page of one recording: video, hands, events, skills."),
            "import": ("data_import", "Make a dataset of what others recorded or labelled."),
            "export": ("data_export", "Write a dataset in the format of others."),
        },
        "Look at recordings and datasets, check and convert them.",
    ),
    "train": (
        {
            "idm": ("train_idm", "Train a model that tells keys and mouse from the video."),
            "foundation": ("train_foundation", "Train an unconditional action predictor by cloning play."),
            "agent": ("train_agent", "Train an agent in play, at the side of a teacher."),
            "vla": ("train_vla", "Post-train a vision-language-action model, stage by stage."),
            "vla-data": ("train_vla_data", "Make what a stage of post-training learns from."),
            "vla-reinforce": ("train_vla_reinforce", "Improve an agent by policy gradient on tasks' own predicates."),
        },
        "Train a model, or go on with its training.",
    ),
    "run": ("run", "Run a pipeline, from video to a better agent, stage by stage."),
    "learn": ("learn", "Learn what can be learnt next, and keep a book of it."),
    "serve": ("serve", "Serve a policy over HTTP."),
    "tasks": ("tasks", "List what can be played: goals, time limits, starts."),
    "doctor": ("doctor", "Say what is installed, what is missing, and how to add it."),
}
_WHAT = "Agents that learn Minecraft from video and from play, by keyboard and mouse."
_STYLE: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich" if sys.stdout.isatty() else None,  # boxes are for eyes, and cost a tenth of a second
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Commands(TyperGroup):
    """Commands that are known by name and one line until one of them is called."""

    table: dict[str, tuple[str | dict[str, Any], str]]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(name, *self.table[name]) if name in self.table else command, rest


def _load(name: str, target: str | dict[str, Any], words: str) -> Any:
    """The command or group behind an entry of the table."""
    if isinstance(target, dict):
        return _group(typer.Typer(name=name, cls=_Commands, help=words, add_completion=False, **_STYLE), target)
    app = typer.Typer(add_completion=False, **_STYLE)
    app.command(name)(getattr(import_module(f"jarvis.app.commands.{target}"), target))
    return typer.main.get_command(app)


def _group(app: typer.Typer, table: dict[str, tuple[str | dict[str, Any], str]]) -> Any:
    if not app.registered_callback:
        app.callback(invoke_without_command=True)(_show_help)
    group = typer.main.get_command(app)
    assert isinstance(group, _Commands)
    group.table = {name: entry for name, entry in table.items() if entry[0]}  # a group without commands is not shown
    group.commands = {name: TyperCommand(name, help=words) for name, (_, words) in group.table.items()}
    return group


def _show_help(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def _show_version(value: bool) -> None:
    if value:
        print(f"jarvis {__version__}")
        raise typer.Exit


def _program() -> Any:
    app = typer.Typer(name="jarvis", cls=_Commands, help=_WHAT, **_STYLE)

    @app.callback(invoke_without_command=True)
    def root(
        ctx: typer.Context,
        version: Annotated[
            bool, typer.Option("--version", help="The version.", is_eager=True, callback=_show_version)
        ] = False,
    ) -> None:
        _show_help(ctx)

    return _group(app, COMMANDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    try:
        code = _program().main(args=arguments, prog_name="jarvis", standalone_mode=False)
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
