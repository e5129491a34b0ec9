"""`gatehouse-hub` as processes: ready, commands beside it, refusals, kill -9 (DESIGN 4; each with its own data folder)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cloud.shared.server import Server
from provisioning import ca
from tests.support.broker import free_port
from tests.support.hub import folder
from tests.support.waiting import gone, wait

PASSWORD = "menfang-demo-1"
HUB = str(Path(sys.executable).with_name("gatehouse-hub"))


class Place:
    """A hub's folder with keys, and what it takes to run commands there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")},
            "GATEHOUSE_DATA": str(path / "data"),
            "GATEHOUSE_KEYS": str(path / "keys"),
            "GATEHOUSE_LISTEN": "127.0.0.1:0",
            "GATEHOUSE_BOX_LISTEN": "127.0.0.1:0",
        }

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        line = [HUB, *words]
        return subprocess.run(line, env=self.environment | more, capture_output=True, text=True, timeout=120, check=False)

    def admin(self) -> None:
        done = self.command("create-admin", "--group", "集团", "--number", "1000", "--name", "管理", GATEHOUSE_PASSWORD=PASSWORD)
        assert done.returncode == 0, done.stderr

    def server_pid(self) -> int:
        return int(json.loads((self.path / "data" / "server.json").read_text())["pid"])


class Serving:
    """`gatehouse-hub serve` running."""

    def __init__(self, place: Place, **more: str) -> None:
        self.process = subprocess.Popen(
            [HUB, "serve"],
            env=place.environment | more,
            stdout=subprocess.PIPE,
            stderr=(place.path / "err.txt").open("w"),
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith('{"ready"'), (place.path / "err.txt").read_text()
        self.ready = json.loads(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def place() -> Iterator[Place]:
    with folder() as path:
        ca.create(path / "keys", ["127.0.0.1", "localhost"], datetime.now(UTC))
        yield Place(path)


def test_a_hub_serves_and_commands_work_beside_it(place):
    serving = Serving(place)
    try:
        place.admin()
        done = place.command("verify")
        assert done.returncode == 0, done.stderr
        counts = json.loads(place.command("counts", "--json").stdout)
        assert counts["ledger_balanced"] is True
        assert counts["chain_verified"] is True
        assert counts["first_fault"] is None
        assert set(counts) >= {"parking", "fleet", "metering", "payments", "orders", "notices"}
        with httpx.Client(base_url=serving.ready["console"], trust_env=False) as client:
            assert client.post("/api/v1/login", json={"number": "1000", "password": PASSWORD}).status_code == 200
            assert client.get("/api/v1/me").json()["roles"] == ["hq_admin"]
        assert serving.ready["boxes"].startswith("https://127.0.0.1:")
    finally:
        pid = place.server_pid()
        assert serving.stop() == 0
    assert gone(pid)
    assert not (place.path / "data" / "server.json").exists()


def test_kill_9_leaves_no_database_behind_and_loses_nothing(place):
    serving = Serving(place)
    place.admin()
    pid = place.server_pid()
    assert serving.stop(signal.SIGKILL) == -signal.SIGKILL
    wait(lambda: gone(pid), 20, "the server to end")
    again = Serving(place)
    try:
        with httpx.Client(base_url=again.ready["console"], trust_env=False) as client:
            assert client.post("/api/v1/login", json={"number": "1000", "password": PASSWORD}).status_code == 200
    finally:
        again.stop()


def test_a_killed_database_is_started_again_below_the_running_hub(place):
    serving = Serving(place)
    try:
        place.admin()
        os.kill(place.server_pid(), signal.SIGKILL)

        def logged_in() -> bool:
            with httpx.Client(base_url=serving.ready["console"], trust_env=False, timeout=20) as client:
                answer = client.post("/api/v1/login", json={"number": "1000", "password": PASSWORD})
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200

        wait(logged_in, 20, "a log-in")
    finally:
        assert serving.stop() == 0


def test_a_busy_port_is_one_sentence_and_2(place):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in ("GATEHOUSE_LISTEN", "GATEHOUSE_BOX_LISTEN"):
            done = place.command("serve", **{name: address})
            assert done.returncode == 2
            assert done.stdout == ""
            (sentence,) = done.stderr.strip().splitlines()
            assert address in sentence
            assert name in sentence


def test_a_second_hub_on_the_same_folder_is_refused(place, monkeypatch):
    serving = Serving(place)
    try:
        done = place.command("serve")
        assert done.returncode == 2
        assert "已经有一个总部程序在运行" in done.stderr
    finally:
        serving.stop()


def test_a_server_of_another_process_is_attached_to_not_doubled(place):
    server = Server(place.path / "data")
    found = server.start()
    try:
        assert found is not None
        assert Server(place.path / "data").start() is None
    finally:
        server.stop()


@pytest.mark.parametrize("user", ["gatehouse", "gatehouse_owner", "gatehouse_read"])
def test_a_dsn_of_the_wrong_role_is_refused(place, pg, hub_database, hub_admin, user):
    """DESIGN 4: the hub refuses to start as anything but gatehouse_app."""
    hub_admin.execute("ALTER ROLE gatehouse_owner LOGIN")
    try:
        dsn = pg.app(hub_database).replace("gatehouse_app", user)
        for verb in ("serve", "verify"):
            done = place.command(verb, GATEHOUSE_DSN=dsn)
            assert done.returncode == 2, verb
            assert user in done.stderr
            assert "gatehouse_app" in done.stderr
    finally:
        hub_admin.execute("ALTER ROLE gatehouse_owner NOLOGIN")


def test_a_dsn_of_the_hubs_role_serves(place, pg, hub_database):
    serving = Serving(place, GATEHOUSE_DSN=pg.app(hub_database))
    try:
        assert httpx.get(serving.ready["console"] + "/api/v1/me", trust_env=False).status_code == 401
        assert not (place.path / "data" / "server.json").exists()
    finally:
        assert serving.stop(signal.SIGINT) == 0


def test_a_database_that_is_behind_is_refused_and_migrated_on_request(place, pg):
    with pg.database("template0") as name:
        app, admin = pg.app(name), pg.superuser(name)
        done = place.command("verify", GATEHOUSE_DSN=app)
        assert done.returncode == 2
        assert "gatehouse-hub migrate" in done.stderr
        assert place.command("migrate", GATEHOUSE_DSN=app).returncode == 2
        applied = json.loads(place.command("migrate", GATEHOUSE_DSN=app, GATEHOUSE_ADMIN_DSN=admin).stdout)["applied"]
        assert applied > 10
        assert place.command("verify", GATEHOUSE_DSN=app).returncode == 0


def test_verify_names_the_first_broken_entry_and_exits_1(place, pg, money_database, money_admin):
    money_admin.execute(
        "SET ROLE gatehouse_app; SET app.companies = '1';"
        " SELECT ledger_post(11, 'test', 't:1', '\\x00', now(), now(), '2026-11-24', null,"
        " '{}', array['bank', 'revenue:x'], array[5, -5]::bigint[], array[null, null], null, '{}', '{}', '{}')"
    )
    money_admin.tamper("UPDATE ledger_entries SET business_date = '2026-11-25'")
    done = place.command("verify", GATEHOUSE_DSN=pg.app(money_database))
    assert done.returncode == 1
    assert "project 11, entry 1: content" in done.stdout
    report = json.loads(place.command("verify", "--json", GATEHOUSE_DSN=pg.app(money_database)).stdout)
    assert (report["ok"], report["faults"][0]["seq"]) == (False, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_LISTEN", "8000"),
        ("GATEHOUSE_LISTEN", "127.0.0.1:99999"),
        ("GATEHOUSE_PAY_SIM_KEY", "xyz"),
        ("GATEHOUSE_DEMO", "?"),
    ],
)
def test_a_bad_setting_is_named(place, name, value):
    done = place.command("serve", **{name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_keys_is_one_sentence(place):
    done = place.command("serve", GATEHOUSE_KEYS=str(place.path / "nothing"))
    assert done.returncode == 2
    assert "gatehouse-provision ca" in done.stderr


def test_a_weak_first_password_is_refused(place):
    words = ("create-admin", "--group", "集团", "--number", "1000", "--name", "管理")
    done = place.command(*words, GATEHOUSE_PASSWORD="1234567890")
    assert done.returncode == 2
    assert "密码" in done.stderr


def test_a_listening_port_of_ones_own_choice(place):
    port = free_port()
    serving = Serving(place, GATEHOUSE_LISTEN=f"127.0.0.1:{port}")
    try:
        assert serving.ready["console"] == f"http://127.0.0.1:{port}"
    finally:
        serving.stop()
