from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from jarvis.core import files
from jarvis.core.errors import FormatError
from jarvis.core.files import (
    append_json_line,
    atomic_folder,
    atomic_write,
    is_done,
    parse_json,
    read_json,
    read_json_lines,
    write_json,
)

CALLS = ("open", "fsync", "replace", "write", "mkdir")


class FaultError(OSError):
    """The disk is full, or gone."""


def with_fault_at(number, monkeypatch, function):
    """Runs the function with the number-th call of the system failing; returns whether there were that many calls."""
    count = 0

    def counting(original):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                raise FaultError(original.__name__)
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, counting(getattr(os, name)))
        with suppress(FaultError):
            function()
    return count >= number


def test_a_file_is_the_old_one_or_the_new_one_whatever_call_fails(tmp_path, monkeypatch):
    path = tmp_path / "labels.json"
    failures = 0
    while True:
        path.write_text("old")
        failed = with_fault_at(failures + 1, monkeypatch, lambda: atomic_write(path, "new"))
        assert path.read_text() in (("old", "new") if failed else ("new",))
        assert os.listdir(tmp_path) == ["labels.json"]
        if not failed:
            break
        failures += 1
    assert failures >= 4  # open and sync the file, rename it, open and sync the folder


def test_a_folder_is_absent_or_done_whatever_call_fails(tmp_path, monkeypatch):
    def write():
        with atomic_folder(tmp_path / "step_1") as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / "a").write_text("a")

    failures = 0
    while with_fault_at(failures + 1, monkeypatch, write):
        failures += 1
        if (tmp_path / "step_1").exists():  # only the very last sync failed
            assert is_done(tmp_path / "step_1")
            shutil.rmtree(tmp_path / "step_1")
        assert os.listdir(tmp_path) == []
    assert is_done(tmp_path / "step_1") and (tmp_path / "step_1" / "inner" / "a").read_text() == "a"
    assert failures >= 8


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.bin"
    path.write_bytes(b"old")
    script = """
        import os, signal, sys
        from jarvis.core.files import atomic_write
        def write(file):
            file.write(b"n" * 100_000)
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        atomic_write(sys.argv[1], write)
    """
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script), path], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == ["state.bin"]


def test_writers_get_a_file_or_its_name(tmp_path):
    seen = []

    def by_name(file):
        seen.append(file.name)
        Path(file.name).write_bytes(b"by name")

    assert atomic_write(tmp_path / "deep" / "a.parquet", by_name).read_bytes() == b"by name"
    assert str(seen[0]).endswith(".parquet") and Path(seen[0]).parent == tmp_path / "deep"
    assert atomic_write(tmp_path / "b", b"\0\1").read_bytes() == b"\0\1"
    with pytest.raises(ZeroDivisionError):
        atomic_write(tmp_path / "b", lambda file: 1 // 0)
    assert (tmp_path / "b").read_bytes() == b"\0\1" and sorted(os.listdir(tmp_path)) == ["b", "deep"]


def test_a_finished_folder_is_not_overwritten(tmp_path):
    with atomic_folder(tmp_path / "out") as folder:
        assert not (tmp_path / "out").exists() and folder.parent == tmp_path
    assert os.listdir(tmp_path / "out") == ["done"]
    with pytest.raises(FileExistsError, match="already finished"), atomic_folder(tmp_path / "out"):
        raise AssertionError("the block must not run")
    (tmp_path / "mine").mkdir()
    with atomic_folder(tmp_path / "mine"):
        pass
    (tmp_path / "mine" / "done").rename(tmp_path / "mine" / "notes")
    with pytest.raises(FileExistsError, match="not empty"), atomic_folder(tmp_path / "mine"):
        pass
    with pytest.raises(KeyError), atomic_folder(tmp_path / "never"):
        raise KeyError
    assert sorted(os.listdir(tmp_path)) == ["mine", "out"]


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "-Infinity", "1e999", "", "{", "[" * 200_000, "9" * 5000, '{"a":1,"a":2}', b"\xff", "\ufeff1",
     "1\0", "{'a': 1}"],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_doubtful_json_is_refused_with_its_place(text):
    with pytest.raises(FormatError, match=r"^a\.json: "):
        parse_json(text, "a.json")


def test_json_documents(tmp_path):
    value = {"name": "\u00e9\ud800", "numbers": [1, 2.5, -0.0, None, True]}
    assert read_json(write_json(tmp_path / "a.json", value)) == value
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", [float("nan")])
    assert read_json(tmp_path / "a.json") == value


def test_lines_are_appended_and_read(tmp_path):
    path = tmp_path / "log" / "results.jsonl"
    for number in range(3):
        append_json_line(path, {"n": number})
    assert path.read_text() == '{"n":0}\n{"n":1}\n{"n":2}\n'
    lines = read_json_lines(path)
    assert list(lines) == [{"n": 0}, {"n": 1}, {"n": 2}] and lines.numbers == [1, 2, 3] and lines.cut is None
    with pytest.raises(ValueError, match="at most"):
        append_json_line(path, "x" * files.LINE_LIMIT)
    with pytest.raises(ValueError, match="JSON compliant"):
        append_json_line(path, float("inf"))
    assert len(read_json_lines(path)) == 3


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_line_that_a_crash_cut_is_reported_and_then_replaced(tmp_path, cut):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n":0}\n' + b'{"n":1}\n'[:cut])
    lines = read_json_lines(path)
    whole = cut == 7  # only its line break is missing
    assert list(lines) == [{"n": 0}, {"n": 1}][: 1 + whole]
    assert whole or lines.cut.startswith(f"{path}: line 2: ")
    append_json_line(path, {"n": 2})
    assert list(read_json_lines(path)) == [{"n": 0}, {"n": 1}, {"n": 2}][:: 1 if whole else 2]


def test_bad_lines_are_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('1\n\n{"a": NaN}\n3\n')
    with pytest.raises(FormatError, match=r"log\.jsonl: line 3: NaN"):
        read_json_lines(path)
    path.write_bytes(b"1\n" + b"2" * (files.LINE_LIMIT + 5) + b"\n3\n")
    with pytest.raises(FormatError, match="line 2: longer than 1048576 bytes"):
        read_json_lines(path)
    path.write_bytes(b"1\n\n2\n" + b"\0" * 100)
    lines = read_json_lines(path)
    assert list(lines) == [1, 2] and lines.numbers == [1, 3] and "line 4" in lines.cut


def test_programs_that_append_at_once_do_not_mix_their_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    script = textwrap.dedent("""
        import sys
        from jarvis.core.files import append_json_line
        for number in range(40):
            append_json_line(sys.argv[1], {"who": sys.argv[2], "n": number, "text": sys.argv[2] * 5000})
    """)
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([sys.executable, "-c", script, path, who], cwd=root) for who in "ab"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    values = [json.loads(line) for line in path.read_text().splitlines()]
    for who in "ab":
        assert [value["n"] for value in values if value["who"] == who] == list(range(40))
