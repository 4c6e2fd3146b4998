"""Native code touches no memory but its own, whatever it is given, and its threads do not race."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = os.environ.get("OPENHEARTH_FUZZ_SECONDS", "3")
# Inputs that once broke it. The first byte says what is asked for, see native/fuzz.
FOUND = {
    # Two bytes that only go on with a character, but of one that does not begin: FineWeb's look at
    # the last character of a line went back beyond the text.
    "no beginning of a character": b"\0\x98\x9f",
}

COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
CMAKE = shutil.which("cmake", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
CAN_RUN = bool(COMPILER and CMAKE)
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CAN_RUN, reason="no compiler or no CMake"),
]


@pytest.fixture(scope="module")
def fuzzer() -> Path:
    """The fuzzer with sanitizers. It is kept, because building it takes half a minute."""
    build = ROOT / "build" / "sanitized"
    options = ["-DOPENHEARTH_SANITIZE=ON", f"-DPython_EXECUTABLE={sys.executable}"]
    if nanobind := importlib.util.find_spec("nanobind"):
        options.append(f"-Dnanobind_DIR={Path(str(nanobind.origin)).parent / 'cmake'}")
    for command in (["-S", ROOT, "-B", build, *options], ["--build", build, "--parallel", "2"]):
        made = subprocess.run([str(CMAKE), *command], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    return build / "fuzz_signals"


def test_no_model_breaks_the_engine(fuzzer: Path, tmp_path: Path) -> None:
    """Random shapes and steps; all kinds of kernels come to the same bits."""
    program = fuzzer.with_name("run_program")
    count, word = run(program, tmp_path, SECONDS, str(os.getpid())).split()
    assert word == "models"
    assert int(count) > 3


def test_no_row_breaks_the_kernels_of_training(fuzzer: Path, tmp_path: Path) -> None:
    """Random rows, some not finite; all kinds of kernels come to the same bits."""
    rows = fuzzer.with_name("run_rows")
    count, word = run(rows, tmp_path, SECONDS, str(os.getpid())).split()
    assert word == "rows"
    assert int(count) > 100


def test_a_team_of_threads_does_not_race(fuzzer: Path, tmp_path: Path) -> None:
    assert run(fuzzer.with_name("race_team"), tmp_path, "1500", str(os.getpid())) == "1500 jobs\n"


@pytest.mark.parametrize("chosen", [[], ["--dtype", "int4"], ["--hybrid"]])
def test_no_crowd_of_requests_breaks_the_engine(fuzzer: Path, chosen: list[str]) -> None:
    """The soak in short, inside Python, which does not give back all that it holds at its end."""
    builds = list(fuzzer.parent.glob("_engine*.so"))
    assert builds, "nanobind is missing: pip install nanobind"
    libraries = [
        subprocess.check_output([str(COMPILER), f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    environment = {"LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0"}
    arguments = ["--requests", "200", *chosen, "--growth", "512", "--build", *builds]
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.soak", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run(fuzzer: Path, directory: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [fuzzer, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_made_up_bytes_break_it(fuzzer: Path, tmp_path: Path) -> None:
    count, word = run(fuzzer, tmp_path, SECONDS, str(os.getpid())).split()
    assert word == "executions"
    assert int(count) > 10
    assert not (tmp_path / "fuzz_signals.last").exists()


@pytest.mark.parametrize("name", FOUND)
def test_what_once_broke_it_does_not_again(name: str, fuzzer: Path, tmp_path: Path) -> None:
    (tmp_path / "found").write_bytes(FOUND[name])
    run(fuzzer, tmp_path, tmp_path / "found")
