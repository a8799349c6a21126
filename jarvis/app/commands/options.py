"""What the commands share: four options, the exit codes, and how results are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "OK",
    "PARTIAL",
    "USAGE",
    "Address",
    "Assignments",
    "Config",
    "EngineName",
    "Gpus",
    "Json",
    "Seed",
    "Workers",
    "environment_names",
    "mapping_of",
    "policy_names",
    "print_json",
    "print_table",
    "settings_of",
    "suite_names",
    "takes_settings",
    "task_names",
    "to_log",
    "to_person",
]

OK, FAILURE, USAGE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130

_SHARED = ("config", "assignments", "help")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def takes_settings(*names: str) -> Callable[[_Function], _Function]:
    """Marks a command that takes settings which no option holds, such as `env_options.fov=90`; "*" is any."""

    def mark(function: _Function) -> _Function:
        function.settings = names  # type: ignore[attr-defined]
        return function

    return mark


def settings_of(ctx: typer.Context) -> dict[str, Any]:
    """The settings of --config and --set that no option of this command holds."""
    own = {option.name for option in ctx.command.params}
    return {name: value for name, value in (ctx.default_map or {}).items() if name not in own}


def mapping_of(ctx: typer.Context, name: str) -> dict[str, Any]:
    """One of those settings that is a mapping. SettingsError if it is anything else."""
    value = settings_of(ctx).get(name) or {}
    if not isinstance(value, dict):
        from jarvis.app.settings import SettingsError

        raise SettingsError(f"{name}: {value!r:.100}, expected a mapping such as {name}.fov=90")
    return value


def _settle(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Lays the file and the assignments under the options that are typed, whichever of both comes first."""
    given = ctx.meta.setdefault("jarvis.settings", {})
    given[param.name] = value
    if value and not ctx.resilient_parsing:  # not while completing
        from jarvis.app.settings import settle

        more = getattr(ctx.command.callback, "settings", ())
        known = [option.name for option in ctx.command.params if option.name and option.name not in _SHARED]
        taken = None if "*" in more else [*known, *more]
        ctx.default_map = settle(given.get("config"), given.get("assignments") or (), taken)
    return value


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


EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="process, ray, or inline: in this process.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes of the engine; else one a core.")]
Address = Annotated[
    str | None, typer.Option("--address", metavar="HOST:PORT", help="ray: of a running cluster, or auto.")
]
Gpus = Annotated[float, typer.Option("--gpus", min=0, help="ray: for each worker.")]


def print_json(value: Any) -> None:
    """One result on standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


def to_log(line: str) -> None:
    """A line that is no result."""
    print(line, file=sys.stderr, flush=True)


def to_person(line: str) -> None:
    """A line for whoever typed the command."""
    print(line, flush=True)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], always_head: bool = False) -> None:
    """A table on a terminal, tab-separated lines anywhere else: those can be cut and sorted.

    always_head: those lines begin with the head too.
    """
    if not sys.stdout.isatty():
        for row in [head, *rows] if always_head else rows:
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


# -- completion


def task_names(incomplete: str) -> list[str]:
    """Tasks that begin so."""
    from evaluation.tasks import names

    return [name for name in names() if name.startswith(incomplete)]


def suite_names(incomplete: str) -> list[str]:
    """Suites that begin so."""
    from evaluation.suites import SUITES

    return [name for name in SUITES if name.startswith(incomplete)]


def environment_names(incomplete: str) -> list[str]:
    """Environments that begin so."""
    from jarvis.envs.registry import ENVIRONMENTS

    return [name for name in ENVIRONMENTS if name.startswith(incomplete)]


def policy_names(incomplete: str) -> list[str]:
    """Policies that begin so, with the colon of those that want something behind it."""
    from jarvis.app.policies import POLICIES

    specs = [f"{name}:" if wanted else name for name, (_, wanted) in POLICIES.items()]
    return [spec for spec in specs if spec.startswith(incomplete)]
