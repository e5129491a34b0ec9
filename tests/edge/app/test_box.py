"""The box as a process: ready line, status, restart, signals, service manager, a damaged store (B-09, B-10, L-33, DESIGN 5)."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.storage import schema
from tests.support.edge import until
from tests.support.tiny_hub import TinyHub, background, plain_broker

EDGE = [sys.executable, "-m", "edge.cli"]


def write_settings(folder: Path, broker: str = "mqtt://127.0.0.1:9") -> Path:
    path = folder / "box.toml"
    path.write_text(
        f'[box]\nid = "box-01"\ndata = "{folder / "data"}"\n\n[broker]\naddresses = ["{broker}"]\n\n'
        '[hub]\nurl = "http://127.0.0.1:9"\ndocument_keys = []\n'
    )
    return path


class Process:
    """`gatehouse-edge run` until the test is over."""

    def __init__(self, config: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [*EDGE, "run", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self._process.wait(15)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def running(config: Path, **environment: str) -> Iterator[Process]:
    process = Process(config, **environment)
    try:
        yield process
    finally:
        process.stop()


def status(config: Path) -> dict[str, Any]:
    done = subprocess.run([*EDGE, "status", "--config", str(config), "--json"], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def get(url: str, path: str, method: str = "GET", body: bytes | None = None) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        return connection.getresponse().status


def test_it_says_when_it_is_ready_and_answers_on_its_pages(tmp_path: Path) -> None:
    config = write_settings(tmp_path)
    with running(config) as box:
        ready = box.ready()
        assert ready["ready"] is True
        assert get(ready["panel"], "/panel") == 200
        assert get(ready["camera"], "/camera/L1", "POST", b"rubbish") == 400
        live = status(config)
        assert live["box"] == "box-01" and live["money"]["seq"] >= 1, "the boot event"
        assert box.end() == 0
    assert not (tmp_path / "data" / f"{schema.FILE}-wal").exists(), "closed cleanly"
    assert status(config)["money"]["epoch"] == live["money"]["epoch"]


def test_kill_9_and_a_second_start_go_on_with_the_same_chain(tmp_path: Path) -> None:
    config = write_settings(tmp_path)
    with running(config) as box:
        box.ready()
        box.end(signal.SIGKILL)
    dead = status(config)
    with running(config) as box:
        box.ready()
        assert status(config)["money"]["seq"] > dead["money"]["seq"]
        assert status(config)["money"]["epoch"] == dead["money"]["epoch"]


def test_a_damaged_store_is_refused_until_a_person_moves_it(tmp_path: Path) -> None:
    """L-33: never guess; `set-aside` is the explicit word, and the new store has new epochs."""
    config = write_settings(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / schema.FILE).write_bytes(b"rubbish" * 1000)
    refused = subprocess.run([*EDGE, "run", "--config", str(config)], capture_output=True, check=False, timeout=30)
    assert refused.returncode == 1 and "store_corrupt" in refused.stderr.decode() and "损坏" in refused.stderr.decode()
    subprocess.run([*EDGE, "set-aside", "--config", str(config)], check=True, capture_output=True)
    assert (tmp_path / "data" / "aside-1" / schema.FILE).exists()
    with running(config) as box:
        assert box.ready()["ready"]
        busy = subprocess.run([*EDGE, "set-aside", "--config", str(config)], capture_output=True, check=False)
        assert busy.returncode == 1 and "store_in_use" in busy.stderr.decode()


def test_bad_settings_are_named(tmp_path: Path) -> None:
    config = tmp_path / "box.toml"
    config.write_text('[box]\nid = "UPPER"\ndata = "x"\n')
    done = subprocess.run([*EDGE, "run", "--config", str(config)], capture_output=True, check=False)
    assert done.returncode == 1 and "box.id" in done.stderr.decode()


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    """sd_notify(3) without a library: READY once, WATCHDOG in time, STOPPING at the end."""
    config = write_settings(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with running(config, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000") as box:
            heard = []
            while heard.count(b"WATCHDOG=1") < 3:
                heard.append(manager.recv(1_000))
            assert heard.count(b"READY=1") == 1
            assert box.end() == 0
            while b"STOPPING=1" not in heard:
                heard.append(manager.recv(1_000))


async def test_a_real_box_and_a_hub(tmp_path: Path) -> None:
    """B-05: the beat carries version, disk, memory, queue; the boot arrives once, told apart from a mere restart."""
    async with plain_broker(tmp_path / "broker") as broker:
        hub = TinyHub("box-01", broker.port)
        config = write_settings(tmp_path, f"mqtt://127.0.0.1:{broker.port}")
        with background(hub.run()):
            await until(lambda: hub.client is not None)
            for starts in (1, 2):
                with running(config) as box:
                    await until(lambda starts=starts: hub.count() >= starts, 20)  # type: ignore[misc]
                    await until(lambda: hub.beats and "queue" in hub.beats[-1].health, 20)
                    await asyncio.to_thread(box.end)
        (lines,) = hub.lines.values()
        causes = [line.event.body["cause"] for line in lines if line.event.kind == "boot"]
        assert causes[-1] == "restart" and len(causes) == 2
        health = hub.beats[-1].health
        assert {"version", "uptime_s", "disk_free_mb", "memory_mb", "queue"} <= health.keys()
        assert "units" not in health, "every unit runs"


@pytest.mark.parametrize("bound_mb", [70])
def test_memory_is_bounded(tmp_path: Path, bound_mb: int) -> None:
    """B-10 is measured by the bench; here only that nobody doubles it unseen."""
    config = write_settings(tmp_path)
    with running(config) as box:
        ready = box.ready()
        assert get(ready["panel"], "/panel") == 200
        text = Path(f"/proc/{box.pid}/status").read_text()
        assert int(text.split("VmRSS:")[1].split()[0]) < bound_mb * 1024
