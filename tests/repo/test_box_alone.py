"""A box gets `gatehouse[edge]` and nothing else: the wheel holds what it needs, and the box starts with broker and hub away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provisioning import ca

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("protocols", "edge", "cloud", "provisioning", "sim")
UV = Path(sys.executable).parent / "uv"

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def run(*command: str | Path) -> str:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the lock of a box and the project's wheel; needs the network or uv's cache."""
    folder = tmp_path_factory.mktemp("box")
    source = folder / "source"
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    (source / "tests").mkdir()
    (source / "tests" / "__init__.py").touch()
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(UV, "pip", "sync", "--quiet", "--python", venv, "--require-hashes", ROOT / "requirements" / "edge.txt")
    run(UV, "pip", "install", "--quiet", "--python", venv, "--no-deps", "--no-build-isolation", source)
    return venv


def test_the_box_has_neither_the_hubs_libraries_nor_the_tests(box: Path) -> None:
    probe = "import importlib.util as u; print([n for n in ('fastapi', 'psycopg', 'httpx', 'tests') if u.find_spec(n)])"
    assert run(box / "bin" / "python", "-I", "-c", probe).strip() == "[]"
    assert run(box / "bin" / "python", "-I", "-c", "import edge.app, edge.cli, provisioning.cli, protocols.cli") == ""


def test_the_wheel_carries_every_file_that_is_not_python(box: Path) -> None:
    installed = next((box / "lib").glob("python*/site-packages"))
    missing = [
        path.relative_to(ROOT)
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md") and "vendor" not in path.parts
        if not (installed / path.relative_to(ROOT)).exists()
    ]
    assert missing == []


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    ca.create(tmp_path / "keys", ["127.0.0.1"], datetime.now(UTC))
    names = {"ca": "ca.crt", "cert": "hub.crt", "key": "hub.key"}
    files = "".join(f'{name} = "{tmp_path / "keys" / file}"\n' for name, file in names.items())
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    path = tmp_path / "box.toml"
    path.write_text(
        f'[box]\nid = "fengqiao-01"\ndata = "{tmp_path / "data"}"\n\n'
        f'[broker]\naddresses = ["mqtt://127.0.0.1:9"]\n\n[hub]\nurl = "https://127.0.0.1:9"\ndocument_keys = ["{key}"]\n{files}',
        encoding="utf-8",
    )
    return path


@pytest.fixture
def running(box: Path, settings: Path) -> Iterator[subprocess.Popen[str]]:
    command = [str(box / "bin" / "gatehouse-edge"), "run", "--config", str(settings)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_a_box_without_lanes_broker_and_hub_starts_and_stops(box: Path, settings: Path, running: subprocess.Popen[str]) -> None:
    assert running.stdout is not None
    line = running.stdout.readline()
    assert line, running.communicate()[1]
    ready = json.loads(line)
    assert ready["ready"] is True
    assert ready["panel"].startswith("http://127.0.0.1:")
    status = json.loads(run(box / "bin" / "gatehouse-edge", "status", "--config", settings, "--json"))
    assert status["box"] == "fengqiao-01"
    running.terminate()
    assert running.wait(timeout=20) == 0
