"""No test speaks to another machine: a connection that leaves this one fails the test that made it."""

from __future__ import annotations

import ipaddress
import signal
import socket

import pytest

# NOTE: programs that a shell starts in the background ignore it, and so would all that they start
signal.signal(signal.SIGINT, signal.default_int_handler)


def is_here(address) -> bool:
    """Whether a socket's address is of this machine: a file, or a loopback address."""
    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
    except ValueError:
        return address[0] in ("", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Within this process; what a test starts in another is its own affair. The calls that were refused."""
    refused: list[object] = []

    def guarded(name):
        call = getattr(socket.socket, name)

        def guard(self, address, *more):
            if not is_here(address):
                refused.append(address)
                raise OSError(f"a test tried to speak to {address}")
            return call(self, address, *more)

        return guard

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    yield refused
    assert not refused, f"a test tried to speak to {refused}"
