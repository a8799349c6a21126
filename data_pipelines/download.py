"""Fetches recordings that an index lists, from hosts that are allowed, and goes on where it was cut off.

    report = download("10.x", "contractor", DownloadConfig(pairs=40))       # OpenAI's recordings of version 10
    report.pairs, report.missing, report.failed
    python -m data_pipelines.download 10.x --out contractor --pairs 40

    contractor/data/10.0/NAME.mp4, NAME.jsonl    as the index names them; a pair is whole or absent
    contractor/index.json                        the pairs that are there
    contractor/.downloads.jsonl                  what became of each: {"name", "state", "reason", "files", ...}
    contractor/data/10.0/.NAME.mp4.part          the beginning of a file, and beside it which version it is of

Of OpenAI's lists 2 to 20 % of the files do not exist: such pairs are written down, counted, and replaced by the next of
the list. Nothing but the allowed hosts is spoken to, after redirects too, and of those only public addresses: a name
that leads into the local network is refused. Sizes, the server's MD5 and given SHA-256 sums are checked.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import ipaddress
import os
import random
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_pipelines.contractor import ContractorIndex, read_index
from data_pipelines.datasets import Dataset
from jarvis.core.errors import FormatError, JarvisError, UnknownNameError, nearest_names
from jarvis.core.files import DOCUMENT_LIMIT, Pathlike, append_json_line, read_json, read_json_lines, write_json
from jarvis.core.random_streams import generator

__all__ = ["HOSTS", "INDEXES", "DownloadConfig", "DownloadError", "DownloadReport", "download", "fetch"]

OPENAI = "https://openaipublic.blob.core.windows.net/minecraft-rl/"
HOSTS = ("openaipublic.blob.core.windows.net",)
# OpenAI's lists, by the recorder's version (6: free play, 7: early game, 8, 9: houses, 10: diamond pickaxe) and task.
INDEXES = {
    "6.x": f"{OPENAI}snapshots/all_6xx_Jun_29.json",
    "7.x": f"{OPENAI}snapshots/all_7xx_Apr_6.json",
    "8.x": f"{OPENAI}snapshots/all_8xx_Jun_29.json",
    "9.x": f"{OPENAI}snapshots/all_9xx_Jun_29.json",
    "10.x": f"{OPENAI}snapshots/all_10xx_Jun_29.json",
    "find-cave": f"{OPENAI}snapshots/find-cave-Jul-28.json",
    "waterfall": f"{OPENAI}snapshots/waterfall-Jul-28.json",
    "pen-animals": f"{OPENAI}snapshots/pen-animals-Jul-28.json",
    "build-house": f"{OPENAI}snapshots/build-house-Jul-28.json",
}
ENDINGS = ("jsonl", "mp4")  # the small one first: without it the large one is not wanted
LEDGER = ".downloads.jsonl"
CHUNK = 1 << 18
REDIRECTS = 5
LONGEST_WAIT = 60.0  # seconds between attempts
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DownloadError(JarvisError, RuntimeError):
    """What cannot be had, or must not be asked for."""


class _Missing(Exception):  # noqa: N818 - an answer
    """The server says that there is no such file."""


class _Broken(Exception):  # noqa: N818 - worth another attempt
    """The transfer failed in a way that may pass."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class DownloadConfig:
    """How to fetch."""

    pairs: int | None = None  # recordings that are wanted; None: all that there are
    drawn: bool = True  # in an order drawn by the seed, since a list is sorted by player; else in the list's
    seed: int = 0
    base: str | None = None  # where the files are; None: as the index says
    # Names are spoken to by https at public addresses only; an origin such as http://127.0.0.1:8000 as it stands.
    hosts: tuple[str, ...] = HOSTS
    connections: int = 4  # at once
    attempts: int = 4  # for each file
    timeout: float = 30.0  # seconds of silence
    backoff: float = 1.0  # seconds before the second attempt; doubled each time
    max_bytes: int = 2 << 30  # of a file
    checksums: str | None = None  # a file of `SHA256  PATH` lines; files it does not name are not checked by it


@dataclass
class DownloadReport:
    """What is in the folder now, of what was asked for."""

    pairs: list[str] = field(default_factory=list)  # names, in the order of fetching
    before: int = 0  # of them: by earlier runs
    bytes: int = 0  # that came over the line in this run
    missing: dict[str, str] = field(default_factory=dict)  # name -> what there is not
    failed: dict[str, str] = field(default_factory=dict)  # name -> reason
    seconds: float = 0.0


def download(
    index: str,
    out: Pathlike,
    config: DownloadConfig | None = None,
    *,
    retry: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> DownloadReport:
    """Fetches the pairs of an index that are not there yet.

    index: a name of INDEXES, an address, or a file. retry: asks again for what was missing or failed before.
    DownloadError if an address is not allowed or nothing at all can be had; FormatError for what is no index. A run
    that was stopped at any moment goes on with the very bytes that it lacks.
    """
    config, out = config or DownloadConfig(), Path(out)
    line = Line(config)
    out.mkdir(parents=True, exist_ok=True)
    with Dataset(out, {}).claim():  # one program at a time
        started = time.monotonic()
        listed = _index(index, out, line)
        if config.base is not None:
            listed = ContractorIndex(config.base if config.base.endswith("/") else f"{config.base}/", listed.names)
        line.check(listed.base or "no address: the index has no basedir, give one")
        sums = _checksums(config.checksums)
        report = DownloadReport()
        told = {entry["name"]: entry for entry in _ledger(out)}
        names = list(listed.names)
        if config.drawn:
            names = [names[place] for place in generator(config.seed, "download").permutation(len(names))]
        wanted = len(names) if config.pairs is None else config.pairs
        say(f"{len(names)} recordings are listed, {wanted} wanted")

        def begin(name: str) -> dict[str, Any] | None:
            """What an earlier run says of a pair, if it need not be asked for."""
            entry = told.get(name)
            if entry is None or (entry["state"] != "done" and retry):
                return None
            if entry["state"] != "done":
                return entry
            lost = [path for path, size in entry["files"].items() if _size(out / path) != size]
            for path in lost:
                (out / path).unlink(missing_ok=True)
            return None if lost else entry

        def take(entry: Mapping[str, Any]) -> None:
            if entry["state"] == "done":
                report.pairs.append(entry["name"])
            else:
                (report.missing if entry["state"] == "missing" else report.failed)[entry["name"]] = entry["reason"]

        left = iter(names)
        running: dict[Future[dict[str, Any]], str] = {}
        pool = ThreadPoolExecutor(config.connections)
        try:
            while True:
                while len(running) < config.connections and len(report.pairs) + len(running) < wanted:
                    name = next(left, None)
                    if name is None:
                        break
                    before = begin(name)
                    if before is not None:
                        take(before)
                        report.before += before["state"] == "done"
                    else:
                        running[pool.submit(_pair, listed, name, out, line, sums)] = name
                if not running:
                    break
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[ended]
                    entry = ended.result()
                    append_json_line(out / LEDGER, entry)
                    take(entry)
                    if entry["state"] == "done":
                        say(f"{len(report.pairs)} of {wanted}: {entry['name']}, {sum(entry['files'].values())} bytes")
                    else:
                        say(f"{entry['name']}: {entry['state']}: {entry['reason']}")
        finally:
            line.stop.set()
            pool.shutdown(cancel_futures=True)
        place = {name: number for number, name in enumerate(names)}
        report.pairs.sort(key=place.__getitem__)
        write_json(out / "index.json", {"basedir": "", "relpaths": [f"{name}.mp4" for name in report.pairs]})
        report.bytes, report.seconds = line.bytes, time.monotonic() - started
        if not report.pairs and (report.failed or report.missing):
            told_why = next(iter({**report.missing, **report.failed}.values()))
            raise DownloadError(f"{listed.base}: none of {len(names)} recordings can be had: {told_why}")
        return report


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _index(index: str, out: Path, line: Line) -> ContractorIndex:
    address = INDEXES.get(index, index)
    if "://" not in address:
        if not Path(address).is_file():
            raise UnknownNameError("index", index, nearest_names(index, INDEXES))
        return read_index(address)
    copy = out / f".index-{hashlib.sha256(address.encode()).hexdigest()[:12]}.json"
    if not copy.is_file():
        try:
            fetch(address, copy, line, limit=DOCUMENT_LIMIT)
        except _Missing as error:
            raise DownloadError(f"{address}: {error}") from None
    return read_index(copy)


def _ledger(out: Path) -> Iterator[dict[str, Any]]:
    path = out / LEDGER
    yield from read_json_lines(path) if path.is_file() else ()


def _checksums(path: str | None) -> dict[str, str]:
    """{path below the folder: 64 hexadecimal digits}, of `sha256sum`'s lines."""
    sums = {}
    for number, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines() if path else (), 1):
        digest, _, name = text.strip().partition(" ")
        if len(digest) != 64 or not set(digest.lower()) <= set("0123456789abcdef") or not name.strip():
            raise FormatError(f"{path}: line {number}: {text[:60]!r}, expected `SHA256  PATH`")
        sums[name.strip().removeprefix("*").removeprefix("./")] = digest.lower()
    return sums


def _pair(listed: ContractorIndex, name: str, out: Path, line: Line, sums: Mapping[str, str]) -> dict[str, Any]:
    """Fetches both files of a recording and returns its line of the ledger."""
    files, digests = {}, {}
    paths = {ending: out / f"{name}.{ending}" for ending in ENDINGS}
    state, reason = "done", ""
    for ending, path in paths.items():
        below = f"{name}.{ending}"
        try:
            if not path.is_file():
                fetch(f"{listed.base}{urllib.parse.quote(below)}", path, line, sha256=sums.get(below))
            files[below], digests[below] = path.stat().st_size, _digests(path)[0]
        except _Missing as error:
            state, reason = "missing", f"{ending}: {error}"
        except DownloadError as error:
            state, reason = "failed", f"{ending}: {error}"
        if state != "done":
            paths["jsonl"].unlink(missing_ok=True)  # alone it is no recording
            break
    return {"name": name, "state": state, "reason": reason, "files": files, "sha256": digests}


# one file


class Line:
    """Whom we speak to, and how: allowed hosts at checked addresses, counted bytes, one switch to end everything."""

    def __init__(self, config: DownloadConfig) -> None:
        self.config = config
        self.stop = threading.Event()
        self.bytes = 0
        self._counting = threading.Lock()
        self._names = {host.lower() for host in config.hosts if "://" not in host}
        self._origins = {_origin(host) for host in config.hosts if "://" in host}

    def check(self, url: str) -> urllib.parse.SplitResult:
        """The parts of an address that may be asked for. DownloadError for any other."""
        parts = urllib.parse.urlsplit(url)
        if parts.username or parts.password:
            raise DownloadError(f"{parts.hostname}: an address with a name or a password in it is refused")
        host = (parts.hostname or "").lower()
        known = parts.scheme == "https" and host in self._names and parts.port in (None, 443)
        if not known and _origin(url) not in self._origins:
            allowed = ", ".join(sorted(self._names | self._origins)) or "none"
            raise DownloadError(f"{url}: not of an allowed host ({allowed}); hosts are allowed by name, with https")
        return parts

    def open(self, url: str, headers: Mapping[str, str]) -> tuple[http.client.HTTPResponse, str]:
        """The answer, after redirects, and the address that gave it."""
        for _ in range(REDIRECTS + 1):
            parts = self.check(url)
            connection = self._connect(parts)
            try:
                target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
                connection.request("GET", target, headers={"Accept-Encoding": "identity", **headers})
                answer = connection.getresponse()
            except BaseException:
                connection.close()
                raise
            if answer.status not in (301, 302, 303, 307, 308):
                return answer, url
            where = answer.getheader("Location", "")
            connection.close()
            url = urllib.parse.urljoin(url, where)
        raise DownloadError(f"{url}: more than {REDIRECTS} redirects")

    def _connect(self, parts: urllib.parse.SplitResult) -> Any:
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(entry[4][0] for entry in found))
        if _origin(parts.geturl()) not in self._origins:
            for address in addresses:
                if not ipaddress.ip_address(str(address).partition("%")[0]).is_global:
                    raise DownloadError(f"{host}: leads to {address}, which is not a public address")
        wait = self.config.timeout
        connection: Any = (
            http.client.HTTPSConnection(host, port, timeout=wait, context=ssl.create_default_context())
            if secure
            else http.client.HTTPConnection(host, port, timeout=wait)
        )
        # NOTE: to the address that was checked: a second look-up of the name could lead elsewhere.
        connection._create_connection = lambda _, *rest: _first_that_answers(addresses, port, *rest)
        return connection

    def count(self, size: int) -> None:
        """Bytes that came."""
        with self._counting:
            self.bytes += size


def _first_that_answers(addresses: list[Any], port: int, *rest: Any) -> socket.socket:
    for number, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), *rest)
        except OSError:
            if number == len(addresses):
                raise
    raise OSError("no address")


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def fetch(url: str, path: Path, line: Line, *, sha256: str | None = None, limit: int | None = None) -> Path:
    """Fetches one file, from where an earlier attempt ended; it takes its name when it is whole and right.

    limit: bytes at most. DownloadError after the last attempt.
    """
    config = line.config
    part, about = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.part.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    pause = config.backoff
    for attempt in range(1, config.attempts + 1):
        try:
            expected = _transfer(url, part, about, line, limit or config.max_bytes)
            _verify(part, expected, sha256)
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
            about.unlink(missing_ok=True)
            return path
        except _Missing:
            part.unlink(missing_ok=True)
            about.unlink(missing_ok=True)
            raise
        except (_Broken, http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and (error.filename is not None or error.errno in FULL):
                raise  # the disk's fault, not the line's
            if attempt == config.attempts:
                told = str(error) or type(error).__name__
                raise DownloadError(f"{url}: {told}, {attempt} attempts") from None
            wished = error.wait if isinstance(error, _Broken) else 0.0
            if line.stop.wait(min(LONGEST_WAIT, max(wished, pause * random.uniform(0.5, 1.5)))):
                raise DownloadError(f"{url}: stopped") from None
            pause *= 2
    raise AssertionError("attempts begin at 1")


def _transfer(url: str, part: Path, about: Path, line: Line, limit: int) -> dict[str, Any]:
    """Brings the rest of a file into `part`; what the server says of the whole: length, md5."""
    known = _read_about(about) if part.is_file() else {}
    have = part.stat().st_size if known.get("etag") and known.get("url") == url else 0
    headers = {"Range": f"bytes={have}-", "If-Range": known["etag"]} if have else {}
    answer, final = line.open(url, headers)
    try:
        status = answer.status
        if status in (404, 410):
            raise _Missing(f"{status} {answer.reason}")
        if status == 416:  # it has another length now
            part.unlink(missing_ok=True)
            raise _Broken(f"{status} {answer.reason}")
        if status in (408, 425, 429) or status >= 500:
            asked = answer.getheader("Retry-After", "")
            raise _Broken(f"{status} {answer.reason}", float(asked) if asked.isdecimal() else 0.0)
        if status not in (200, 206):
            raise DownloadError(f"{final}: {status} {answer.reason}")
        begin, length = have, int(answer.getheader("Content-Length") or -1)
        if status == 206:
            span, _, total = (answer.getheader("Content-Range") or "").removeprefix("bytes ").partition("/")
            if span.partition("-")[0] != str(have) or not total.isdecimal():
                part.unlink(missing_ok=True)
                raise _Broken("the server sent another part than was asked for")
            length = int(total)
        else:
            begin = 0
        if length > limit:
            raise DownloadError(f"{final}: {length} bytes, at most {limit} are allowed")
        etag = answer.getheader("ETag", "")
        md5 = answer.getheader("x-ms-blob-content-md5") or (answer.getheader("Content-MD5") if status == 200 else None)
        facts = {"url": url, "etag": "" if etag.startswith("W/") else etag, "bytes": length, "md5": md5}
        write_json(about, facts)
        with open(part, "r+b" if begin else "wb") as file:
            file.seek(begin)
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                line.count(len(chunk))
                begin += len(chunk)
                if begin > limit:
                    raise DownloadError(f"{final}: more than the {limit} bytes that are allowed")
                if line.stop.is_set():
                    raise DownloadError(f"{final}: stopped")
        return facts
    finally:
        answer.close()


def _read_about(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except (OSError, FormatError):
        return {}
    return value if isinstance(value, dict) else {}


def _verify(part: Path, expected: Mapping[str, Any], sha256: str | None) -> None:
    size = part.stat().st_size
    if expected["bytes"] >= 0 and size < expected["bytes"]:
        raise _Broken(f"the line broke after {size} of {expected['bytes']} bytes")
    ours, md5 = _digests(part)
    wrong = None
    if expected["bytes"] >= 0 and size != expected["bytes"]:
        wrong = f"{size} bytes, expected {expected['bytes']}"
    elif expected["md5"] and base64.b64encode(md5).decode() != expected["md5"]:
        wrong = "its MD5 is not what the server says"
    elif sha256 is not None and ours != sha256:
        wrong = f"its SHA-256 is {ours}, expected {sha256}"
    if wrong is not None:
        part.unlink()
        raise _Broken(wrong)


def _digests(path: Path) -> tuple[str, bytes]:
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            sha.update(chunk)
            md5.update(chunk)
    return sha.hexdigest(), md5.digest()


def main() -> None:
    """The command line of this module."""
    import argparse

    parser = argparse.ArgumentParser(description="Fetch recordings of OpenAI's contractors.")
    parser.add_argument("index", help=f"{', '.join(INDEXES)}, an address, or a file")
    parser.add_argument("--out", required=True)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--retry", action="store_true")
    given = parser.parse_args()
    config = DownloadConfig(pairs=given.pairs, seed=given.seed)
    report = download(given.index, given.out, config, retry=given.retry, say=print)
    print(f"{len(report.pairs)} recordings, {len(report.missing)} missing, {len(report.failed)} failed")


if __name__ == "__main__":
    main()
