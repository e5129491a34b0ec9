"""The demo as a person starts and ends it: nothing is left behind, a second start keeps the data, obstacles are named."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.broker import free_port
from tests.support.hub import folder
from tests.support.waiting import wait

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]

BIN = Path(sys.executable).parent
MARK = "GATEHOUSE_TEST_DEMO"


@contextmanager
def demo(place: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A demo that says where its console is."""
    log = place.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(BIN / "gatehouse-sim"), "demo", "--folder", str(place), "--port", str(port)],
            stdout=out,
            stderr=out,
            env={**os.environ, MARK: str(place)},
        )
    try:
        wait(lambda: "控制台" in log.read_text() or process.poll() is not None, 120, "the console's address")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def descendants(place: Path) -> list[str]:
    """Every process of this demo, found by what it inherited."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={place}".encode() in environment.read_bytes().split(b"\0"):
                found.append((environment.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [command for command in found if command.strip()]


def projects(port: int) -> str:
    """What the hub knows of projects, asked as headquarters."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
        csrf = client.post("/api/v1/login", json={"number": "1001", "password": "menfang-demo-1"}).json()["csrf"]
        assert csrf
        return client.get("/api/v1/estate/projects").text


def test_ctrl_c_and_kill_leave_nothing_and_the_data_stays() -> None:
    port = free_port()
    with folder() as base:
        place = base / "demo"
        with demo(place, port) as process:
            before = projects(port)
            assert len(descendants(place)) >= 5
            process.send_signal(signal.SIGINT)
            assert process.wait(40) == 0
            wait(lambda: not descendants(place), 10, "all processes to end after Ctrl-C")
        with demo(place, port) as process:
            assert projects(port) == before and "枫桥雅苑" in before
            process.kill()
            wait(lambda: not descendants(place), 15, "all processes to end after kill -9")


def test_a_busy_port_a_second_demo_and_a_full_disk_are_named() -> None:
    with folder() as base, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [str(BIN / "gatehouse-sim"), "demo", "--folder", str(base / "demo"), "--port"]
        busy = subprocess.run([*command, str(taken.getsockname()[1])], capture_output=True, text=True, timeout=60, check=False)
        assert busy.returncode == 2 and "make demo PORT=" in busy.stderr
        with demo(base / "demo", free_port()):
            second = subprocess.run([*command, str(free_port())], capture_output=True, text=True, timeout=60, check=False)
            assert second.returncode == 2 and "已经有一个演示在运行" in second.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="a small file system can only be mounted by root")
def test_a_full_disk_is_named() -> None:
    with folder() as base:
        small = base / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], check=True)
        try:
            command = [str(BIN / "gatehouse-sim"), "demo", "--folder", str(small / "demo"), "--port", str(free_port())]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 2 and "MB" in done.stderr
        finally:
            subprocess.run(["umount", str(small)], check=True)
