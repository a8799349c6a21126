import configparser
import re
import sys
from pathlib import Path

import pytest

from jarvis.core.errors import UnknownNameError
from jarvis.envs import doctor
from jarvis.envs.doctor import Check, SetupStep, check_machine, run_steps, setup_steps

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with nothing on its PATH and none of our variables."""
    for name in ("JARVIS_MINERL_PYTHON", "JARVIS_MINESTUDIO_PYTHON", "MINESTUDIO_DIR", "JAVA_HOME", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def named(rows):
    return {row.name: row for row in rows}


def test_every_row_that_is_not_fine_says_how_to_mend_it(bare):
    rows = named(check_machine(bare))
    assert rows["python"].status == "ok" and rows["numpy"].status == "ok"
    for row in rows.values():
        assert row.status in ("ok", "missing", "warning")
        assert row.found and row.needed_for
        assert row.status == "ok" or row.mend or row.name == "gpu"
    assert rows["JDK 8"] == Check(
        "JDK 8", "warning", "no javac", "minerl and minestudio, which need JDK 8",
        "conda install -y -c conda-forge openjdk=8",
    )  # fmt: skip
    assert rows["display"].mend == "sudo apt-get install -y xvfb"
    assert rows["minerl"].mend == "jarvis doctor --setup minerl"


def test_what_is_required_is_what_setup_cfg_installs():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")

    def names(text):
        return {re.match(r"[A-Za-z0-9_.-]+", line).group() for line in text.split("\n") if line}

    required = names(config["options"]["install_requires"])
    assert set(doctor.REQUIRED) == required - {"decord"}  # an option, on some machines only
    extras = config["options.extras_require"]
    for package, extra in doctor.EXTRAS.items():
        assert package in names(extras[extra])


def test_java_8_beside_the_games_interpreter_counts(bare, monkeypatch):
    program(bare, "game/bin/javac", "echo javac 1.8.0_412 >&2")
    program(bare, "bin/javac", "echo javac 17.0.2 >&2")
    assert named(check_machine(bare))["JDK 8"].found == "javac 17.0.2"
    monkeypatch.setenv("JARVIS_MINERL_PYTHON", program(bare, "game/bin/python", "echo found"))
    rows = named(check_machine(bare))
    assert rows["JDK 8"].status == "ok" and "1.8.0_412" in rows["JDK 8"].found
    assert rows["minerl"].status == "ok"


def test_an_interpreter_without_the_game_is_told(bare, monkeypatch):
    monkeypatch.setenv("JARVIS_MINERL_PYTHON", program(bare, "game/python", "echo absent"))
    assert named(check_machine(bare))["minerl"].found.endswith("game/python: absent")
    monkeypatch.setenv("JARVIS_MINERL_PYTHON", str(bare / "nothing"))
    assert named(check_machine(bare))["minerl"].found.endswith("nothing: does not run")


def test_the_engine_of_minestudio_is_looked_for_where_it_would_look(bare, monkeypatch):
    monkeypatch.setenv("MINESTUDIO_DIR", str(bare / "studio"))
    assert named(check_machine(bare))["minestudio engine"].status == "warning"
    jar = bare / "studio" / "engine/build/libs/mcprec-6.13.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert named(check_machine(bare))["minestudio engine"].status == "ok"


def test_a_torch_that_cannot_see_the_gpu_is_told(bare, monkeypatch):
    program(bare, "bin/nvidia-smi", "echo NVIDIA H100, 81559 MiB")
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.13.0+cpu")
    row = named(check_machine(bare))["gpu"]
    assert row.status == "warning" and "torch 2.13.0+cpu cannot use it" in row.found
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.13.0")
    assert named(check_machine(bare))["gpu"].found == "NVIDIA H100, 81559 MiB"


def test_two_opencv_wheels_are_one_too_many(bare, monkeypatch):
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "4.10")
    row = named(check_machine(bare))["one OpenCV"]
    assert row.status == "warning" and row.mend.startswith("pip uninstall -y opencv-python opencv-python-headless")


@pytest.mark.parametrize("game", ["minerl", "minestudio"])
def test_the_steps_begin_with_conda_where_there_is_none(bare, game):
    lines = [str(step) for step in setup_steps(game, home="/games")]
    assert lines[0].startswith("sudo apt-get install -y xvfb git curl ")
    assert lines[1] == "mkdir -p /games"
    assert lines[3] == "bash /games/miniforge.sh -b -p /games/miniforge"
    create = f"/games/miniforge/bin/conda create -y -p /games/{game} -c conda-forge python=3.10 openjdk=8 pip"
    assert lines[4] == create
    run = f"/games/miniforge/bin/conda run --no-capture-output -p /games/{game} python -m "
    if game == "minerl":
        assert lines[5:-1] == [run + "pip install git+https://github.com/minerllabs/minerl@8268ee99"]
    else:
        assert lines[5] == run + "pip install --no-deps minestudio==1.1.6"
        assert lines[6].startswith(run + "pip install 'numpy<2' 'torch>=2.3.1' gymnasium gym gym3 ")
        assert lines[7:-1] == ["MINESTUDIO_DIR=/games/minestudio-engine " + run + "minestudio.simulator.entry -y"]
    assert f'export JARVIS_{game.upper()}_PYTHON="/games/{game}/bin/python"' in setup_steps(game, home="/games")[-1].why


def test_the_steps_use_what_is_there(bare):
    for name in ("xvfb-run", "git", "curl", "micromamba"):
        program(bare, f"bin/{name}", "")
    lines = [str(step) for step in setup_steps("minerl", home="/games")]
    assert lines[0] == "sudo apt-get install -y libgl1-mesa-dri libglu1-mesa libegl1"
    assert lines[1].startswith(f"{bare}/bin/micromamba create -y -p /games/minerl ")
    assert lines[2].startswith(f"{bare}/bin/micromamba run -p /games/minerl python -m pip install git+")


def test_another_game_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="unknown game 'mine_rl'; did you mean minerl"):
        setup_steps("mine_rl")


def test_steps_run_in_order_and_stop_at_the_first_that_fails(tmp_path):
    def step(text, **environment):
        return SetupStep((sys.executable, "-c", text), "a reason", environment)

    said = []
    steps = [
        step(f"import os; open({str(tmp_path / 'one')!r}, 'w').write(os.environ['WORD'])", WORD="hello"),
        SetupStep((), "something by hand"),
        step("raise SystemExit(7)"),
        step(f"open({str(tmp_path / 'two')!r}, 'w')"),
    ]
    assert run_steps(steps, said.append) == 7
    assert (tmp_path / "one").read_text() == "hello" and not (tmp_path / "two").exists()
    assert "[2/4] something by hand" in said and "failed with exit code 7" in said[-1]
    assert run_steps([SetupStep(("/nowhere/program",), "missing")], said.append) == 127
    assert run_steps(steps[:2], said.append) == 0


def test_the_module_prints_the_steps(bare, capsys):
    assert doctor.main(["--setup", "minerl"]) == 0
    out = capsys.readouterr().out
    assert "pip install git+https://github.com/minerllabs/minerl@8268ee99" in out
