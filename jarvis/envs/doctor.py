"""What is installed, what is missing, and the command that mends it; and the steps that set the real games up.

    python -m jarvis.envs.doctor                    # the checks
    python -m jarvis.envs.doctor --setup minerl     # prints the steps; --run carries them out

`jarvis doctor` is the same with colours. Nothing is changed unless steps are run, and checks never use the network.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["Check", "SetupStep", "check_machine", "run_steps", "setup_steps"]

OK, MISSING, WARNING = "ok", "missing", "warning"

# Package: what it is for. Those of `setup.cfg`'s install_requires come first, then the extras.
REQUIRED = (
    "numpy", "torch", "transformers", "accelerate", "einops", "av", "opencv-python", "safetensors", "pyarrow",
    "pydantic", "typer", "rich", "pyyaml", "gymnasium", "numba", "pebble",
)  # fmt: skip
EXTRAS = {
    "crafter": "crafter",
    "openai": "llm",
    "python-xlib": "luanti",
    "ray": "ray",
    "peft": "train",
    "datasets": "train",
    "tensorboard": "train",
    "rerun-sdk": "viz",
}
MINERL_COMMIT = "8268ee99"  # the revision of minerllabs/minerl that the adapter is written for
MINESTUDIO_VERSION = "1.1.6"
ENGINE_JAR = Path("engine/build/libs/mcprec-6.13.jar")
# What minestudio.simulator imports. Its own list of requirements pins a withdrawn OpenCV wheel next to another one, so
# that installers search for many minutes or refuse it.
MINESTUDIO_PACKAGES = (
    "numpy<2", "torch>=2.3.1", "gymnasium", "gym", "gym3", "absl-py", "av", "coloredlogs", "daemoniker", "diskcache",
    "einops", "huggingface_hub", "lxml", "minecraft_data==3.20.0", "opencv-python-headless<4.12", "psutil", "Pyro4",
    "pyyaml", "rich", "setuptools<81", "tqdm", "xmltodict",
)  # fmt: skip
MIN_FREE = 10 << 30  # bytes of disk for checkpoints, recordings and a game


@dataclass(frozen=True)
class Check:
    """One row: what was looked for, what was found, and the command that mends it."""

    name: str
    status: str  # ok, missing or warning
    found: str
    needed_for: str
    mend: str = ""

    def to_json(self) -> dict[str, str]:
        """The row as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class SetupStep:
    """One command of a set-up. Without a command it is something that a person does, said in `why`."""

    command: tuple[str, ...]
    why: str
    environment: Mapping[str, str] | None = None  # variables for this command only

    def __str__(self) -> str:
        variables = "".join(f"{name}={shlex.quote(value)} " for name, value in (self.environment or {}).items())
        return variables + shlex.join(self.command)


# -- checks ----------------------------------------------------------------------------------------------------------


def check_machine(folder: str | os.PathLike[str] = ".") -> list[Check]:
    """Every check, in the order in which a person would mend them. `folder` is where outputs will go."""
    rows = [_python()]
    rows += [_package(name, "everything", f'pip install "{name}"') for name in REQUIRED]
    rows += [
        _package(name, f"the {extra} extra", f'pip install "jarvis-agent[{extra}]"') for name, extra in EXTRAS.items()
    ]
    rows += [_one_opencv(), _numba_cache(), _video(), _gpu(), _disk(Path(folder))]
    rows += [
        _java(),
        _display(),
        _interpreter("minerl", "JARVIS_MINERL_PYTHON"),
        _interpreter("minestudio", "JARVIS_MINESTUDIO_PYTHON"),
        _engine(),
        _luanti(),
    ]
    return rows


def _python() -> Check:
    version = platform.python_version()
    fine = sys.version_info >= (3, 10)
    return Check(
        "python", OK if fine else MISSING, version, "everything", "" if fine else "install Python 3.10 or later"
    )


def _package(name: str, needed_for: str, mend: str) -> Check:
    try:
        return Check(name, OK, metadata.version(name), needed_for)
    except metadata.PackageNotFoundError:
        optional = needed_for != "everything"
        return Check(name, WARNING if optional else MISSING, "not installed", needed_for, mend)


def _one_opencv() -> Check:
    wheels = []
    for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"):
        try:
            wheels.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    if len(wheels) < 2:
        return Check("one OpenCV", OK, wheels[0] if wheels else "none", "frames resized exactly")
    # Each overwrites the other's cv2, and which one wins depends on the order of installation.
    others = " ".join(wheel.split()[0] for wheel in wheels)
    mend = f'pip uninstall -y {others} && pip install "opencv-python>=4.10,<5"'
    return Check("one OpenCV", WARNING, " and ".join(wheels), "frames resized exactly", mend)


def _numba_cache() -> Check:
    place = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(__file__).resolve().parents[1] / "world"
    # Numba writes beside the source, and where it may not, to the user's cache folder.
    candidates = [Path(place)] if place else [beside, Path.home() / ".cache" / "numba"]
    for folder in candidates:
        if _writable(folder):
            return Check("numba cache", OK, str(folder), "a voxel world that starts fast")
    mend = f"export NUMBA_CACHE_DIR={shlex.quote(str(Path(tempfile.gettempdir()) / 'jarvis-numba'))}"
    found = f"cannot write to {' or '.join(str(folder) for folder in candidates)}"
    return Check("numba cache", WARNING, found, "a voxel world that starts fast", mend)


def _writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _video() -> Check:
    row = Check("video", OK, "", "reading and writing mp4; no ffmpeg program is needed")
    try:
        import av

        av.codec.Codec("libx264", "w")
    except ImportError:
        return Check("video", MISSING, "PyAV is not installed", row.needed_for, 'pip install "av>=15,<19"')
    except Exception as error:
        return Check(
            "video", MISSING, f"PyAV without libx264: {error}", row.needed_for, "pip install --force-reinstall av"
        )
    return Check("video", OK, f"PyAV {av.__version__} with libx264", row.needed_for)


def _gpu() -> Check:
    names = _output(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    if not names:
        return Check(
            "gpu", WARNING, "none found; everything runs on the processor, large models slowly", "large models"
        )
    found = "; ".join(names.splitlines())
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = ""
    if torch.endswith("+cpu"):
        mend = "pip install --force-reinstall torch"
        return Check("gpu", WARNING, f"{found}, but torch {torch} cannot use it", "large models", mend)
    return Check("gpu", OK, found, "large models")


def _disk(folder: Path) -> Check:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free at {folder.resolve()}"
    if free >= MIN_FREE:
        return Check("disk", OK, found, "recordings, checkpoints, games")
    return Check(
        "disk", WARNING, found, "recordings, checkpoints, games", f"free {MIN_FREE >> 30} GiB, or use --out elsewhere"
    )


def _java() -> Check:
    games, version = "minerl and minestudio, which need JDK 8", ""
    places = [
        Path(python).parent for name in ("MINERL", "MINESTUDIO") if (python := os.environ.get(f"JARVIS_{name}_PYTHON"))
    ]
    places += [Path(home) / "bin" for home in [os.environ.get("JAVA_HOME")] if home]
    for program in [*(str(place / "javac") for place in places), "javac"]:
        version = _output([program, "-version"]).strip() or version
        if "1.8." in version:
            return Check("JDK 8", OK, f"{version} ({program})", games)
    return Check("JDK 8", WARNING, version or "no javac", games, "conda install -y -c conda-forge openjdk=8")


def _display() -> Check:
    display, program = os.environ.get("DISPLAY"), shutil.which("xvfb-run")
    if display or program:
        return Check("display", OK, f"DISPLAY={display}" if display else str(program), "minerl, minestudio")
    return Check("display", WARNING, "no DISPLAY and no xvfb-run", "minerl, minestudio", "sudo apt-get install -y xvfb")


def _interpreter(package: str, variable: str) -> Check:
    python, mend = os.environ.get(variable), f"jarvis doctor --setup {package}"
    if not python:
        try:
            return Check(package, OK, f"{metadata.version(package)} in this interpreter", f"--env {package}")
        except metadata.PackageNotFoundError:
            return Check(package, WARNING, f"{variable} is not set", f"--env {package}", mend)
    program = f"import importlib.util as u; print('found' if u.find_spec({package!r}) else 'absent')"
    answer = _output([python, "-c", program]).strip()
    if answer == "found":
        return Check(package, OK, python, f"--env {package}")
    return Check(package, MISSING, f"{python}: {answer or 'does not run'}", f"--env {package}", mend)


def _engine() -> Check:
    folder = Path(os.environ.get("MINESTUDIO_DIR") or Path(tempfile.gettempdir()) / "MineStudio")
    jar = folder / ENGINE_JAR
    if jar.exists():
        return Check("minestudio engine", OK, str(jar), "--env minestudio")
    return Check("minestudio engine", WARNING, f"no {jar}", "--env minestudio", "jarvis doctor --setup minestudio")


def _luanti() -> Check:
    if not sys.platform.startswith("linux"):
        return Check("luanti", WARNING, f"not on {sys.platform}", "--env luanti", "play it on Linux, or in WSL")
    from jarvis.envs.luanti.game import luanti_program
    from jarvis.envs.luanti.library import library_path

    program, library = luanti_program(), library_path()
    missing = [name for name in ("Xvfb", "cc") if not shutil.which(name) and not (name == "cc" and library.exists())]
    if program and not missing:
        version = _output([program, "--version"]).split("(")[0].strip() or program
        return Check("luanti", OK, version, "--env luanti")
    found = ", ".join([*([] if program else ["no minetest"]), *(f"no {name}" for name in missing)])
    return Check("luanti", WARNING, found, "--env luanti", "jarvis doctor --setup luanti")


def _output(command: Sequence[str]) -> str:
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.decode(errors="replace") if result.returncode == 0 else ""


# -- set-up ----------------------------------------------------------------------------------------------------------


def setup_steps(game: str, home: str | os.PathLike[str] | None = None) -> list[SetupStep]:
    """The commands that install "minerl", "minestudio" or "luanti", and why; from a machine with apt, curl and a shell.

    home: where the interpreter and the engine go, ~/.local/share/jarvis unless given. A tool that is on the PATH
    already (xvfb-run, git, conda) is not installed again. Raises UnknownNameError for another game.
    """
    if game not in ("minerl", "minestudio", "luanti"):
        raise UnknownNameError("game", game, nearest_names(game, ("minerl", "minestudio", "luanti")))
    if game == "luanti":
        return _luanti_steps()
    folder = Path(home) if home is not None else Path.home() / ".local" / "share" / "jarvis"
    steps = []
    apt = [
        name for name, program in (("xvfb", "xvfb-run"), ("git", "git"), ("curl", "curl")) if not shutil.which(program)
    ]
    apt += ["libgl1-mesa-dri", "libglu1-mesa", "libegl1"]
    steps.append(
        SetupStep(
            ("sudo", "apt-get", "install", "-y", *apt),
            "a display without a screen, and software OpenGL, for the game to draw on",
        )
    )
    conda = next((found for name in ("conda", "micromamba") if (found := shutil.which(name))), None)
    if conda is None:
        system = f"{platform.system()}-{platform.machine()}".replace("Darwin", "MacOSX")
        installer = str(folder / "miniforge.sh")
        address = f"https://github.com/conda-forge/miniforge/releases/latest/download/Miniforge3-{system}.sh"
        conda = str(folder / "miniforge" / "bin" / "conda")
        steps += [
            SetupStep(("mkdir", "-p", str(folder)), "the home of what follows"),
            SetupStep(("curl", "-fL", "-o", installer, address), "conda brings JDK 8, which Debian no longer has"),
            SetupStep(
                ("bash", installer, "-b", "-p", str(folder / "miniforge")), "installs it there, without questions"
            ),
        ]
    prefix = folder / game
    steps.append(
        SetupStep(
            (conda, "create", "-y", "-p", str(prefix), "-c", "conda-forge", "python=3.10", "openjdk=8", "pip"),
            "an interpreter and a Java of its own: "
            + ("gym below 0.24 and numpy below 1.24" if game == "minerl" else "its pins clash with ours"),
        )
    )
    # Without the option conda shows nothing until the end; micromamba does not have it.
    shown = ("--no-capture-output",) if Path(conda).name == "conda" else ()
    run = (conda, "run", *shown, "-p", str(prefix))
    if game == "minerl":
        source = f"git+https://github.com/minerllabs/minerl@{MINERL_COMMIT}"
        steps.append(
            SetupStep(
                (*run, "python", "-m", "pip", "install", source),
                "clones MCP-Reborn and builds the game with Gradle: some GB of downloads, 10 to 30 minutes",
            )
        )
        variables = {"JARVIS_MINERL_PYTHON": str(prefix / "bin" / "python")}
    else:
        engine = {"MINESTUDIO_DIR": str(folder / "minestudio-engine")}
        steps += [
            SetupStep(
                (*run, "python", "-m", "pip", "install", "--no-deps", f"minestudio=={MINESTUDIO_VERSION}"),
                "its requirements cannot be resolved as they are written",
            ),
            SetupStep(
                (*run, "python", "-m", "pip", "install", *MINESTUDIO_PACKAGES), "what its simulator really imports"
            ),
            SetupStep(
                (*run, "python", "-m", "minestudio.simulator.entry", "-y"),
                "downloads the engine, 458 MB, and plays 100 ticks",
                engine,
            ),
        ]
        variables = {"JARVIS_MINESTUDIO_PYTHON": str(prefix / "bin" / "python"), **engine}
    exports = "; ".join(f'export {name}="{value}"' for name, value in variables.items())
    steps.append(SetupStep((), f"for every shell, for instance in ~/.profile: {exports}"))
    return steps


def _luanti_steps() -> list[SetupStep]:
    packages = ["minetest", "xvfb", "gcc", "libc6-dev", "libgl1-mesa-dri"]
    return [
        SetupStep(
            ("sudo", "apt-get", "install", "-y", "--no-install-recommends", *packages),
            "the game with minetest_game, a display without a screen, software OpenGL, and a compiler; about 30 MB",
        ),
        SetupStep((sys.executable, "-m", "pip", "install", "jarvis-agent[luanti]"), "keyboard and mouse there"),
        SetupStep(
            (sys.executable, "-m", "jarvis.envs.luanti.library"),
            "compiles the library that makes the game play one frame at a time, for this machine",
        ),
    ]


def run_steps(steps: Sequence[SetupStep], say: Callable[[str], Any] = print) -> int:
    """Runs the commands one after the other, told before each. The exit code of the first that fails, else 0."""
    for number, step in enumerate(steps, start=1):
        say(f"[{number}/{len(steps)}] {step.why}")
        if not step.command:
            continue
        say(f"    {step}")
        try:
            code = subprocess.run(step.command, env={**os.environ, **(step.environment or {})}, check=False).returncode
        except OSError as error:
            say(f"    {step.command[0]}: {error.strerror or error}")
            code = 127
        if code:
            say(f"    failed with exit code {code}; mend it and run the same command again")
            return code
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m jarvis.envs.doctor", description="What is installed and missing.")
    parser.add_argument("--setup", metavar="GAME", help="print the steps that install minerl, minestudio or luanti")
    parser.add_argument("--run", action="store_true", help="with --setup: carry them out")
    options = parser.parse_args(arguments)
    if options.setup:
        steps = setup_steps(options.setup)
        if options.run:
            return run_steps(steps)
        for step in steps:
            print(f"# {step.why}" + (f"\n{step}" if step.command else ""))
        return 0
    rows = check_machine()
    for row in rows:
        print(f"{row.status:8} {row.name:18} {row.found}" + (f"\n{'':28}{row.mend}" if row.mend else ""))
    return int(any(row.status == MISSING and row.needed_for == "everything" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
