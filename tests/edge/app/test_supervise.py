"""Supervisors, settings, and the order of sending: small parts by themselves (DESIGN 5, 6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.services.manager import Manager
from edge.services.sending import LONGEST_OVERDUE_MS, OVERDUE_MS, WINDOW, Sending, choose
from edge.services.supervise import Supervisor
from edge.settings import Broker, brokers, listen, load, tls
from protocols.claim import ClaimGrant
from protocols.errors import Refused, Stop
from provisioning.claim import settings as written_settings
from tests.support.edge import until


async def test_what_fails_is_started_again_and_what_is_broken_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.services.supervise.FIRST_S", 0.01)
    supervisor = Supervisor(lambda: 0.0)
    runs = {"shaky": 0, "broken": 0}

    async def shaky() -> None:
        runs["shaky"] += 1
        if runs["shaky"] < 4:
            raise OSError("camera away")

    async def broken() -> None:
        runs["broken"] += 1
        raise Stop("invariant", "不变量被破坏")

    first, second = supervisor.start("shaky", shaky), supervisor.start("broken", broken)
    await until(lambda: first.state == "ended" and second.state == "stopped")
    assert runs == {"shaky": 4, "broken": 1} and first.failures == 3 and "camera away" in (first.last or "")
    await supervisor.stop()


def test_settings_as_the_claim_writes_them_are_read(tmp_path: Path) -> None:
    grant = ClaimGrant(
        box="box-01", certificate="", ca="", document_keys=["ab" * 32], brokers=["mqtts://hub:8883", "mqtts://b"], hub_url="https://hub"
    )
    (tmp_path / "box.toml").write_text(written_settings(grant, tmp_path))
    found = load(tmp_path / "box.toml")
    assert found.box.id == "box-01" and found.box.data == tmp_path / "data" and found.panel.listen == "127.0.0.1:0"
    assert brokers(found.broker.addresses) == (Broker("hub", 8883, True), Broker("b", 8883, True))
    with pytest.raises(Refused, match="certificate files"):
        tls(found.broker)


@pytest.mark.parametrize("line", ['addresses = []', 'addresses = ["http://x"]', 'addresses = ["mqtt://"]'])
def test_bad_brokers_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "box.toml").write_text(
        f'[box]\nid = "box-01"\ndata = "x"\n[broker]\n{line}\n[hub]\nurl = "https://h"\ndocument_keys = ["zz"]\n'
    )
    with pytest.raises(Refused, match="bad_settings"):
        load(tmp_path / "box.toml")


def test_listen_addresses() -> None:
    assert listen("[::1]:80") == ("::1", 80) and listen("0.0.0.0:8080") == ("0.0.0.0", 8080)
    with pytest.raises(Refused):
        listen("8080")


def test_no_manager_no_words() -> None:
    assert Manager({}).watchdog_s is None and not Manager({}).there
    Manager({}).tell("READY=1")
    Manager({"NOTIFY_SOCKET": "/nowhere"}).tell("READY=1")
    assert Manager({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s is None
    assert Manager({"NOTIFY_SOCKET": "@abstract", "WATCHDOG_USEC": "30000000"}).watchdog_s == 10


def test_the_window_and_the_order_of_streams() -> None:
    """L-32: money first, a window of batches, readings only when no money waits."""
    money, series = Sending("money"), Sending("series")
    streams = {"money": money, "series": series}
    tips = {"money": 10, "series": 5}
    for last in range(1, WINDOW + 1):
        assert choose(streams, tips, 0) is money  # type: ignore[arg-type]
        money.sent(last, 0)
    assert choose(streams, tips, 0) is None, "readings do not overtake money that waits for the window"  # type: ignore[arg-type]
    answered = money.acknowledged(2)
    assert answered is not None and answered.last == 2 and len(money.flights) == WINDOW - 2
    money.sent(10, 0)
    assert choose(streams, tips, 0) is series  # type: ignore[arg-type]
    money.halt("quarantined", 2, 0, probe=True)
    assert choose(streams, {"money": 10, "series": 0}, 0) is None  # type: ignore[arg-type]


def test_patience_grows_and_a_slow_line_gets_small_batches() -> None:
    money = Sending("money")
    now, waits = 0, []
    for _ in range(6):
        money.sent(5, now)
        began = now
        while not money.overdue(0, now):
            now += 1_000
        waits.append(now - began)
    assert waits[0] == OVERDUE_MS + 1_000 and waits == sorted(waits) and waits[-1] == LONGEST_OVERDUE_MS + 1_000
    for _ in range(20):
        money.published(0, 5_000)
    assert money.limit == 10
    for _ in range(20):
        money.published(0, 100)
    assert money.limit == 500


def test_one_gap_is_answered_once() -> None:
    """Every batch behind a gap asks for the same: the window goes again once, not once for each."""
    money = Sending("money")
    for last in (10, 20, 30):
        money.sent(last, 0)
    money.go_back(5, 100)
    assert money.cursor == 4 and not money.flights
    money.sent(30, 110)
    money.go_back(5, 120)
    assert money.cursor == 30
    money.go_back(5, 5_000)
    assert money.cursor == 4
