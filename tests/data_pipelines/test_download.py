"""Downloads from a real server on this machine: resumed, checked, refused, and tolerant of what is not there."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_pipelines.contractor import read_index
from data_pipelines.download import LEDGER, DownloadConfig, DownloadError, Line, download, fetch
from jarvis.core.errors import FormatError, UnknownNameError


class Server(ThreadingHTTPServer):
    """Serves bytes by path with ranges, ETags and MD5, and misbehaves where it is told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.cut, self.busy, self.moved, self.md5 = {}, [], {}, {}, {}, {}
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, path = self.server, self.path
        server.asked.append((path, self.headers.get("Range")))
        if server.busy.get(path):
            server.busy[path] -= 1
            return self.answer(503, b"later", {"Retry-After": "0"})
        if path in server.moved:
            return self.answer(302, b"", {"Location": server.moved[path]})
        if path not in server.files:
            return self.answer(404, b"no such blob")
        body = server.files[path]
        tag = f'"{hashlib.sha1(body).hexdigest()}"'
        md5 = server.md5.get(path) or base64.b64encode(hashlib.md5(body).digest()).decode()
        begin = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == tag:
            begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if begin >= len(body):
                return self.answer(416, b"")
        headers = {"ETag": tag, "x-ms-blob-content-md5": md5}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        self.answer(206 if begin else 200, body[begin:], headers, cut=server.cut.pop(path, None))

    def answer(self, status, body, headers=None, cut=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(server, tmp_path, names, absent=()):
    """An index of recordings, of which some files do not exist."""
    for name in names:
        for ending in ("mp4", "jsonl"):
            if f"{name}.{ending}" not in absent:
                server.files[f"/rl/{name}.{ending}"] = f"{name} {ending} ".encode() * 500
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"basedir": f"{server.origin}/rl/", "relpaths": [f"{name}.mp4" for name in names]}))
    return str(index)


def quick(server, **more):
    return DownloadConfig(**{"hosts": (server.origin,), "backoff": 0.001, "timeout": 5.0, "drawn": False} | more)


NAMES = [f"data/10.0/player-{number:02d}" for number in range(8)]


def test_missing_files_are_counted_and_replaced_by_the_next_of_the_list(server, tmp_path):
    index = publish(server, tmp_path, NAMES, absent={f"{NAMES[1]}.mp4", f"{NAMES[3]}.jsonl"})
    report = download(index, tmp_path / "out", quick(server, pairs=4))
    assert report.pairs == [NAMES[0], NAMES[2], NAMES[4], NAMES[5]]
    assert report.missing == {NAMES[1]: "mp4: 404 Not Found", NAMES[3]: "jsonl: 404 Not Found"}
    assert (tmp_path / "out" / f"{NAMES[0]}.mp4").read_bytes() == server.files[f"/rl/{NAMES[0]}.mp4"]
    assert not (tmp_path / "out" / f"{NAMES[1]}.jsonl").exists()  # alone it is no recording
    assert read_index(tmp_path / "out" / "index.json").names == tuple(report.pairs)

    asked = len(server.asked)
    again = download(index, tmp_path / "out", quick(server, pairs=4))
    assert (again.pairs, again.before, again.bytes, len(server.asked)) == (
        report.pairs,
        4,
        0,
        asked,
    )  # nobody was asked
    server.files[f"/rl/{NAMES[1]}.mp4"] = b"it came late"
    late = download(index, tmp_path / "out", quick(server, pairs=4), retry=True)
    assert late.pairs == [NAMES[0], NAMES[1], NAMES[2], NAMES[4]]


def test_a_file_that_was_cut_off_goes_on_with_the_bytes_it_lacks(server, tmp_path):
    body = bytes(range(256)) * 4000
    server.files["/a.mp4"], server.cut["/a.mp4"] = body, 600_000
    path = fetch(f"{server.origin}/a.mp4", tmp_path / "a.mp4", Line(quick(server)))
    assert path.read_bytes() == body
    assert server.asked == [("/a.mp4", None), ("/a.mp4", "bytes=600000-")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_another_version_of_a_half_fetched_file_is_fetched_from_its_beginning(server, tmp_path):
    server.files["/a.mp4"], server.cut["/a.mp4"] = b"old" * 1000, 600
    with pytest.raises(DownloadError, match="broke after 600 of 3000"):
        fetch(f"{server.origin}/a.mp4", tmp_path / "a.mp4", Line(quick(server, attempts=1)))
    server.files["/a.mp4"] = b"new!" * 1000
    fetch(f"{server.origin}/a.mp4", tmp_path / "a.mp4", Line(quick(server)))
    assert (tmp_path / "a.mp4").read_bytes() == b"new!" * 1000


def test_what_passes_is_tried_again_and_what_is_wrong_is_not_kept(server, tmp_path):
    server.files |= {"/a.mp4": b"a" * 100, "/b.mp4": b"b" * 100}
    server.busy["/a.mp4"] = 2
    line = Line(quick(server, attempts=3))
    assert fetch(f"{server.origin}/a.mp4", tmp_path / "a.mp4", line).read_bytes() == b"a" * 100
    server.md5["/b.mp4"] = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(DownloadError, match=r"MD5 is not what the server says, 3 attempts"):
        fetch(f"{server.origin}/b.mp4", tmp_path / "b.mp4", line)
    del server.md5["/b.mp4"]
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch(f"{server.origin}/b.mp4", tmp_path / "b.mp4", line, sha256="0" * 64)
    with pytest.raises(DownloadError, match="100 bytes, at most 99"):
        fetch(f"{server.origin}/b.mp4", tmp_path / "b.mp4", line, limit=99)
    assert not (tmp_path / "b.mp4").exists()


def test_given_sums_are_checked_and_a_lost_file_comes_again(server, tmp_path):
    index = publish(server, tmp_path, NAMES[:2])
    right = hashlib.sha256(server.files[f"/rl/{NAMES[0]}.mp4"]).hexdigest()
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{right}  {NAMES[0]}.mp4\n{'0' * 64} *{NAMES[1]}.jsonl\n")
    config = quick(server, checksums=str(sums), attempts=2)
    report = download(index, tmp_path / "out", config)
    assert report.pairs == [NAMES[0]] and "SHA-256" in report.failed[NAMES[1]]
    (tmp_path / "out" / f"{NAMES[0]}.mp4").write_bytes(b"cut")
    assert download(index, tmp_path / "out", config).bytes == len(server.files[f"/rl/{NAMES[0]}.mp4"])
    sums.write_text("hello\n")
    with pytest.raises(FormatError, match=r"SHA256SUMS: line 1: 'hello'"):
        download(index, tmp_path / "out", config)


def test_a_run_that_was_killed_fetches_only_what_is_missing(server, tmp_path):
    index = publish(server, tmp_path, NAMES)
    download(index, tmp_path / "out", quick(server, pairs=3, connections=1))
    ledger = tmp_path / "out" / LEDGER
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:-1]) + lines[-1][:20])  # killed while it wrote the third line
    (tmp_path / "out" / f"{NAMES[2]}.mp4").unlink()  # and while the video was on its way
    server.asked.clear()
    report = download(index, tmp_path / "out", quick(server, pairs=4, connections=1))
    assert [path for path, _ in server.asked] == [f"/rl/{NAMES[2]}.mp4", f"/rl/{NAMES[3]}.jsonl", f"/rl/{NAMES[3]}.mp4"]
    assert report.pairs == NAMES[:4]


@pytest.mark.parametrize(
    "url",
    [
        "http://openaipublic.blob.core.windows.net/a.mp4", "https://example.org/a.mp4", "file:///etc/passwd",
        "https://openaipublic.blob.core.windows.net.evil.example/a.mp4", "ftp://openaipublic.blob.core.windows.net/a",
        "https://me:secret@openaipublic.blob.core.windows.net/a", "https://openaipublic.blob.core.windows.net:8443/a",
        "https://127.0.0.1/a", "https://[::1]/a", "https://169.254.169.254/latest", "https://2130706433/a", "//x/a",
    ],
)  # fmt: skip
def test_only_allowed_hosts_are_spoken_to(url):
    with pytest.raises(DownloadError, match=r"refused|not of an allowed host") as refusal:
        Line(DownloadConfig()).check(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "10.0.0.1", "169.254.169.254"])
def test_an_allowed_name_that_leads_into_the_local_network_is_refused(name):
    with pytest.raises(DownloadError, match="not a public address"):
        Line(DownloadConfig(hosts=(name,))).open(f"https://{name}/a.mp4", {})


def test_a_redirect_is_followed_to_allowed_hosts_only(server, tmp_path):
    server.files["/b.mp4"] = b"b"
    server.moved = {"/a.mp4": "/b.mp4", "/c.mp4": "http://127.0.0.1:1/secret", "/d.mp4": "/d.mp4"}
    line = Line(quick(server))
    assert fetch(f"{server.origin}/a.mp4", tmp_path / "a.mp4", line).read_bytes() == b"b"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:1/secret: not of an allowed host"):
        fetch(f"{server.origin}/c.mp4", tmp_path / "c.mp4", line)
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        fetch(f"{server.origin}/d.mp4", tmp_path / "d.mp4", line)


def test_what_cannot_be_is_said_before_anything_is_fetched(server, tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown index '10x'; did you mean 10.x"):
        download("10x", tmp_path / "out")
    index = tmp_path / "index.json"
    index.write_text('{"basedir": "https://example.org/", "relpaths": ["a.mp4"]}')
    with pytest.raises(DownloadError, match=r"https://example.org/: not of an allowed host"):
        download(str(index), tmp_path / "out")
    with pytest.raises(DownloadError, match="none of 2 recordings can be had: jsonl: 404"):
        download(publish(server, tmp_path, ["x", "y"], {"x.jsonl", "y.jsonl"}), tmp_path / "out", quick(server))
