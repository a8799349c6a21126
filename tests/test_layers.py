"""The table of packages, kept true: imports point down, and siblings never import each other."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("jarvis.core",),
    ("jarvis.world",),
    ("data_pipelines", "jarvis.envs", "jarvis.training", "jarvis.vpt"),
    ("idm", "skill_discovery", "vla", "evaluation"),
    ("jarvis.app",),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}
# The package itself and `python -m jarvis` hold nothing: what they reach for, they import when called.
DOORS = {"jarvis": {"jarvis.envs", "jarvis.app"}, "jarvis.__main__": {"jarvis.app"}}
INSIDERS = {"jarvis.world": {"jarvis.envs", "jarvis.app"}}  # who may look inside, though many are above
ONLY_NUMPY = {"jarvis.core": {"numpy"}}
WITHOUT_TORCH = ("jarvis.core", "jarvis.world")


def package_of(module: str) -> str | None:
    """The package of the table that a module belongs to: jarvis.core.actions is in jarvis.core."""
    return next((name for name in LAYER if module == name or module.startswith(f"{name}.")), None)


def imports(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Every absolute name that a module's source imports anywhere, with what it takes from packages."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            found.add(origin)
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return found


def complaint(module: str, imported: str) -> str | None:
    """What is wrong with this import, or None."""
    home, target, top = package_of(module), package_of(imported), imported.partition(".")[0]
    if home in WITHOUT_TORCH and top == "torch":
        return f"{home} works without torch"
    if home in ONLY_NUMPY and target != home and not _is_allowed_outside(top, ONLY_NUMPY[home]):
        return f"{home} needs only the standard library and {', '.join(ONLY_NUMPY[home])}"
    if target is None or target == home:
        return None
    if home is None:
        return None if target in DOORS.get(module, ()) else f"{module} is in no layer"
    if LAYER[target] > LAYER[home]:
        return "imports point down"
    if LAYER[target] == LAYER[home]:
        return "siblings never import each other: meet in a file, a protocol, or jarvis.core"
    if target in INSIDERS and home not in INSIDERS[target]:
        return f"only {' and '.join(sorted(INSIDERS[target]))} look inside {target}"
    return None


def _is_allowed_outside(top: str, allowed: set[str]) -> bool:
    return top in sys.stdlib_module_names or top in allowed or top == "jarvis"


def modules() -> list[tuple[str, Path]]:
    """Every module of the packages in the table, as (dotted name, path)."""
    tops = sorted({package.partition(".")[0] for package in LAYER})
    found = []
    for top in tops:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def test_imports_point_down():
    wrong = []
    for module, path in modules():
        found = imports(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")
        # A name taken from a package is listed twice, as the package and as its part: complain once.
        reasons = {reason: name for name in sorted(found, reverse=True) if (reason := complaint(module, name))}
        wrong += [f"{path.relative_to(ROOT)} imports {name}: {reason}" for reason, name in reasons.items()]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_module_has_its_layer():
    lost = [name for name, _ in modules() if package_of(name) is None and name not in DOORS]
    assert not lost, f"in no layer of the table: {lost}"


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("jarvis.core.actions", "numpy", True),
        ("jarvis.core.actions", "hashlib", True),
        ("jarvis.core.actions", "jarvis.core.errors", True),
        ("jarvis.core.actions", "jarvis.world.rules", False),
        ("jarvis.core.actions", "pydantic", False),
        ("jarvis.core.actions", "torch.nn", False),
        ("jarvis.world.mobs", "numba", True),
        ("jarvis.world.mobs", "torch", False),
        ("jarvis.world.mobs", "jarvis.envs.voxel", False),
        ("jarvis.envs.voxel", "jarvis.world.simulation", True),
        ("jarvis.vpt.policy", "jarvis.world.rules", False),
        ("jarvis.vpt.policy", "data_pipelines.video", False),
        ("idm.labelling", "jarvis.vpt.networks", True),
        ("idm.labelling", "vla.codecs", False),
        ("evaluation.rollouts", "jarvis.world.rules", False),
        ("evaluation.rollouts", "jarvis.envs", True),
        ("jarvis.app.cli", "jarvis.world.rules", True),
        ("jarvis.app.cli", "idm.labelling", True),
        ("vla.policy", "jarvis.app.cli", False),
        ("jarvis", "jarvis.envs.registry", True),
        ("jarvis", "jarvis.world", False),
    ],
)
def test_the_table_itself(module, imported, allowed):
    assert (complaint(module, imported) is None) == allowed


def test_every_way_to_import_is_seen():
    source = "import a.b\nfrom c import d\ndef f():\n    from . import e\n    from .g import h\n    from ..i import j\n"
    assert imports(source, "x.y.z") == {"a.b", "c", "c.d", "x.y", "x.y.e", "x.y.g", "x.y.g.h", "x.i", "x.i.j"}
    assert imports("from . import e", "x.y", is_package=True) == {"x.y", "x.y.e"}
