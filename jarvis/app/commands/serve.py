"""jarvis serve --policy runs/vla/final"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from jarvis.app.commands.options import (
    INTERRUPTED,
    Assignments,
    Config,
    Json,
    Seed,
    policy_names,
    print_json,
    to_person,
)


def serve(
    policy: Annotated[
        str, typer.Option("--policy", metavar="SPEC", help="Who plays; as in `play`.", autocompletion=policy_names)
    ],
    host: Annotated[
        str, typer.Option("--host", help="Whom to listen to; 0.0.0.0 is the whole network, without any password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8765,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    assignments: Assignments = None,
) -> int:
    """Serve a policy over HTTP.

    Others play with it as `--policy served:URL`; the protocol is in vla/serving.py. Each player has a session of its
    own. A player that names no seed for an episode gets SEED, and one more for each row.
    """
    from jarvis.app.policies import load_policy
    from jarvis.app.settings import SettingsError
    from vla.serving import PolicyServer

    make = _sharing(policy, load_policy)
    try:
        server = PolicyServer(make, host=host, port=port, name=policy, seed=seed or 0)
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port}: {error.strerror or error}") from None
    if as_json:
        print_json({"url": server.url, "policy": policy})
    else:
        to_person(f"{policy} is served at {server.url}; play with: --policy served:{server.url}")
    try:
        server.serve()
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _sharing(spec: str, load: Callable[[str], Any]) -> Callable[[], Any]:
    """Makes a policy for each player; all of one model share its weights."""
    first = load(spec)
    backbone = getattr(first, "backbone", None)
    if backbone is None:
        return lambda: load(spec)
    return lambda: type(first)(backbone)
