"""A wheel holds whatever the packages read beside their modules."""

import configparser
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jarvis", "idm", "vla", "skill_discovery", "data_pipelines", "evaluation")
COMPILED = {".py", ".pyc", ".nbi", ".nbc"}


def left_out(patterns):
    """Files of the packages that no pattern takes; patterns are relative to the package that a file lies under."""
    missing = []
    for file in (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*")) if file.is_file()):
        if file.suffix in COMPILED or "__pycache__" in file.parts:
            continue
        package = next(folder for folder in file.parents if (folder / "__init__.py").is_file())
        inside = file.relative_to(package).as_posix()
        if not any(fnmatch(inside, pattern) and inside.count("/") == pattern.count("/") for pattern in patterns):
            missing.append(file.relative_to(ROOT).as_posix())
    return missing


def test_every_file_of_a_package_is_in_its_wheel():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert left_out(setup["options.package_data"]["*"].split(", ")) == []
    assert "jarvis/world/data/rules.json" in left_out(["*.json"])  # a pattern does not reach into folders
