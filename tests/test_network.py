"""The guard over the whole suite sees who leaves this machine."""

import socket
import urllib.error
import urllib.request

import pytest


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://[2001:db8::1]/"])
def test_another_machine_is_out_of_reach(url, no_network):
    with pytest.raises(urllib.error.URLError, match="a test tried to speak"):
        urllib.request.urlopen(url, timeout=1)
    assert len(no_network) == 1
    no_network.clear()


def test_this_machine_is_not(no_network):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    assert not no_network
