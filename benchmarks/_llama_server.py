"""`llama-server` and `llama-quantize`, built for this processor, once, in ten to twenty minutes.

The source is that in `llama-cpp-python`, whose own build leaves programs out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from _peers import ENVIRONMENTS

from openhearth.bench.machine import cores

SOURCE = "llama-cpp-python==0.3.36"
TARGETS = ("llama-server", "llama-quantize")
# Neither web pages, which would be fetched, nor TLS, nor what needs them.
WITHOUT = ("USE_PREBUILT_UI", "OPENSSL", "BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP")


def build() -> Path:
    """The folder with the programs."""
    home = ENVIRONMENTS / "llama_server"
    programs, complete = home / "build" / "bin", home / "requirements.txt"
    if complete.is_file() and complete.read_text() == SOURCE:
        return programs
    print(f"building {', '.join(TARGETS)} in {home}, once", file=sys.stderr)
    shutil.rmtree(home, ignore_errors=True)
    source = _source(home)
    options = [f"-DLLAMA_{name}=OFF" for name in WITHOUT]
    options += ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON"]
    configure = ["cmake", "-S", source, "-B", home / "build"]
    subprocess.run([*configure, *options], check=True, stdout=subprocess.DEVNULL)
    make = ["cmake", "--build", home / "build", "--parallel", str(cores()), "--target", *TARGETS]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    complete.write_text(SOURCE)
    return programs


def _source(home: Path) -> Path:
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", home]
    subprocess.run([*download, "--no-binary", "llama-cpp-python", SOURCE], check=True)
    (archive,) = home.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(home, filter="data")
    archive.unlink()
    (source,) = home.glob("*/vendor/llama.cpp")
    (source / ".git").unlink()  # points to what is not there, and confuses the build
    return source


def quantise(file: Path, to: Path, body: str = "Q4_0", head: str = "Q4_0") -> Path:
    """The same weights in blocks of other types, which llama.cpp can lay out anew for products."""
    types = ["--output-tensor-type", head, "--token-embedding-type", head]
    program = build() / "llama-quantize"
    command = [program, "--allow-requantize", *types, file, to, body]
    subprocess.run(command, check=True, capture_output=True)
    return to
