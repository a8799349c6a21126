"""What the pages name is there: files, commands, options, and the targets of make."""

import re
from pathlib import Path

import pytest

from jarvis.app import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
TOP = "jarvis|idm|skill_discovery|vla|data_pipelines|evaluation|tests|benchmarks|docs|examples"
PATH = re.compile(rf"`((?:{TOP})/[\w./-]+\.(?:py|md|json|html|png))`|\]\((?!https?:|#)([\w./-]+)[\w#-]*\)")
COMMAND = re.compile(r"(?:^|`|\$ |/bin/)jarvis ((?:data |train )?[a-z-]+)((?: [^`\n#|]*)?)", re.MULTILINE)


def options_of(words):
    """The options that a command takes; KeyError if there is no such command."""
    table, target = cli.COMMANDS, None
    for word in words:
        target, help_line = table[word]
        table = target if isinstance(target, dict) else {}
    if isinstance(target, dict):
        return set()
    command = cli._load(words[-1], target, help_line)
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page):
    text = page.read_text()
    for named, linked in PATH.findall(text):
        assert (ROOT / named if named else page.parent / linked).exists(), f"{page.name}: {named or linked}"
    for name, rest in COMMAND.findall(text):
        try:
            options = options_of(name.split())
        except KeyError:
            raise AssertionError(f"{page.name}: no command `jarvis {name}`") from None
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
            assert option in options | {"--help"}, f"{page.name}: `jarvis {name}` has no {option}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_tests_that_a_page_names_are_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(?:(\w+)::)?(\w+)`", (ROOT / "docs/RELIABILITY.md").read_text())
    assert len(named) > 24
    for file, group, name in named:
        text = (ROOT / file).read_text()
        assert f"def {name}(" in text, f"{file}: no {name}"
        assert not group or f"class {group}:" in text, f"{file}: no {group}"


def test_what_is_reckoned_follows_from_the_rates():
    rows = re.findall(r"^\| [^|]+ \| ([\d.,]+) \| ([\d,]+) \|", (ROOT / "docs/SCALE.md").read_text(), re.MULTILINE)
    assert len(rows) == 8
    for rate, hours in rows:
        assert int(hours.replace(",", "")) == round(10_000 * 20 / float(rate.replace(",", "")))


def test_a_page_that_lies_is_found():
    assert options_of(["play"]) >= {"--task", "--seed"}
    with pytest.raises(KeyError):
        options_of(["paly"])
    assert COMMAND.findall("`jarvis train vla --recipe tiny`") == [("train vla", " --recipe tiny")]
