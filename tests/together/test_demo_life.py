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

from cloud.shared.migrate import APP
from cloud.shared.server import Server
from sim.demo.seed import PASSWORD
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


@contextmanager
def person(port: int, number: str) -> Iterator[httpx.Client]:
    """Somebody logged in with what the demo prints."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
        csrf = client.post("/api/v1/login", json={"number": number, "password": PASSWORD}).json()["csrf"]
        client.headers["x-csrf-token"] = csrf
        yield client


def standing(port: int) -> tuple[str, str, list[object], list[object]]:
    """What the hub knows that nobody touches while the demo runs: projects, standards, what waits for approval, slips."""
    with person(port, "1001") as client:
        return (
            client.get("/api/v1/estate/projects").text,
            client.get("/api/v1/fees/standards?project=1").text,
            [(one["kind"], one["title"], one["amount_fen"]) for one in client.get("/api/v1/approvals?state=waiting").json()],
            client.get("/api/v1/counter/slips?project=2").json()["slips"],
        )


def verify(place: Path) -> subprocess.CompletedProcess[str]:
    """`gatehouse-hub verify` over the books of a demo that was stopped."""
    server = Server(place / "hub")
    found = server.start(wait=30)
    assert found is not None
    environment = {**os.environ, "GATEHOUSE_DSN": found.dsn(APP, "gatehouse"), "GATEHOUSE_DATA": str(place / "hub")}
    environment["GATEHOUSE_KEYS"] = str(place / "keys")
    try:
        command = [str(BIN / "gatehouse-hub"), "verify"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.stop()


def test_ctrl_c_and_kill_leave_nothing_and_the_data_stays() -> None:
    """Z-02, Z-06: what was there stays over a second start, the books verify in between, and a waiver can be approved after."""
    port = free_port()
    with folder() as base:
        place = base / "demo"
        with demo(place, port) as process:
            before = standing(port)
            assert "枫桥雅苑" in before[0] and len(descendants(place)) >= 5
            assert {kind for kind, _, _ in before[2]} == {"waiver", "standard.publish"}
            [slip] = before[3]
            assert slip["state"] == "transit" and slip["amount_fen"] > 0
            process.send_signal(signal.SIGINT)
            assert process.wait(40) == 0
            wait(lambda: not descendants(place), 10, "all processes to end after Ctrl-C")
        proof = verify(place)
        assert proof.returncode == 0, proof.stdout + proof.stderr
        with demo(place, port) as process:
            assert standing(port) == before
            approve_the_waiver(port)
            process.kill()
            wait(lambda: not descendants(place), 15, "all processes to end after kill -9")


def approve_the_waiver(port: int) -> None:
    """By the second person whose log-in is printed; who asked may not (Y-02)."""
    with person(port, "1001") as client:
        one = next(one for one in client.get("/api/v1/approvals?state=waiting&kind=waiver").json())
    body = {"amount_fen": one["amount_fen"]}
    with person(port, "2001") as cashier:
        assert cashier.post(f"/api/v1/approvals/{one['id']}/approve", json=body).status_code in (403, 422)
    with person(port, "1005") as manager:
        answer = manager.post(f"/api/v1/approvals/{one['id']}/approve", json=body)
        assert (answer.status_code, answer.json().get("state")) == (200, "approved"), answer.text


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
