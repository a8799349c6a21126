"""jarvis doctor --setup minerl"""

from __future__ import annotations

from typing import Annotated

import typer

from jarvis.app.commands.options import (
    FAILURE,
    OK,
    Assignments,
    Config,
    Json,
    Seed,
    print_json,
    print_table,
    to_log,
    to_person,
)


def doctor(
    setup: Annotated[
        str | None, typer.Option("--setup", metavar="GAME", help="Show how to set up minerl, minestudio or luanti.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="With --setup: carry the steps out.")] = False,
    as_json: Json = False,
    seed: Seed = None,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Say what is installed, what is missing, and how to add it."""
    from jarvis.envs.doctor import check_machine, run_steps, setup_steps

    if setup is not None:
        steps = setup_steps(setup)
        if run:
            return OK if run_steps(steps, to_log if as_json else to_person) == 0 else FAILURE
        for step in steps:
            if as_json:
                variables = dict(step.environment or {})
                print_json({"command": list(step.command), "why": step.why, "environment": variables})
            else:
                print(f"# {step.why}\n{step}\n" if step.command else f"# {step.why}\n")
        return OK
    if run:
        from jarvis.app.settings import SettingsError

        raise SettingsError("--run carries out the steps of --setup: jarvis doctor --setup minerl --run")
    checks = check_machine()
    if as_json:
        for check in checks:
            print_json(check.to_json())
    else:
        print_table(
            ("what", "status", "found", "needed for", "to mend it"),
            [(check.name, check.status, check.found, check.needed_for, check.mend) for check in checks],
        )
    return FAILURE if any(check.status == "missing" for check in checks) else OK
