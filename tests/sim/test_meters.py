"""The simulated meters speak as real ones do, and remember what they said (Z-01, Z-05)."""

from __future__ import annotations

import asyncio
import os
import struct

import pytest

from protocols.codecs.dlt645 import StreamDecoder, encode_request, told
from protocols.codecs.modbus import Request, decode_tcp, matched
from sim.meters.dlt645 import Dlt645Units
from sim.meters.lines import PtyLine, TcpLine
from sim.meters.modbus_rtu import RtuUnits
from sim.meters.modbus_tcp import ModbusGateway
from sim.meters.register import Fault, Meter

ADDRESS = "202308001234"


def meter(**more: object) -> Meter:
    return Meter("M1", ADDRESS, seed=3, **more)  # type: ignore[arg-type]


def ask(units: Dlt645Units, **fields: object) -> list[dict[str, object]]:
    question = encode_request({"address": ADDRESS, "protocol": "2007"} | fields)
    decoder = StreamDecoder()
    return [told(frame) for reply in units.hear(question) for frame in decoder.feed(reply.data)]


def test_the_same_seed_gives_the_same_meter() -> None:
    assert [meter().read_total() for _ in range(2)][0] == meter().read_total()


def test_each_read_gives_a_value_of_its_own_and_is_remembered() -> None:
    one = meter()
    values = [one.read_total() for _ in range(50)]
    assert len(set(values)) == 50 and one.given == values and one.reads == 50


def test_rollover_by_command() -> None:
    one = meter()
    one.fault = Fault.ROLLOVER
    assert one.read_total() == 99_999_999 and one.read_total() < 10


def test_dlt645_answers_and_refuses() -> None:
    one = meter()
    units = Dlt645Units({ADDRESS: one})
    (said,) = ask(units, request="read_data", di="00010000")
    assert said["value"] == f"{one.given[-1] / 100:.2f}"
    (said,) = ask(units, request="read_data", di="00020000")
    assert said["flags"] == ["no_such_data"]
    (said,) = ask(units, request="read_address", address="AA" * 6)
    assert said["reported_address"] == ADDRESS
    assert ask(units, request="read_data", address="202308001235", di="00010000") == []
    assert ask(units, request="broadcast_time", address="99" * 6, time="2026-11-24T00:00:00") == []


def test_dlt645_relay_is_read_back() -> None:
    one = meter()
    units = Dlt645Units({ADDRESS: one})
    for action, is_open in (("trip", True), ("close", False), ("alarm_on", False)):
        assert ask(units, request="relay", action=action, valid_until="2026-11-30T00:00")[0]["kind"] == "ack"
        assert ask(units, request="read_data", di="04000503")[0]["relay_open"] is is_open


def test_dlt645_freezes_count_back() -> None:
    one = meter()
    one.freeze("2026-11-22")
    one.total += 5
    one.freeze("2026-11-23")
    units = Dlt645Units({ADDRESS: one})
    assert [ask(units, request="read_data", di=f"050600{back:02X}")[0].get("value") for back in (1, 2)] == [
        "2026-11-23T00:00",
        "2026-11-22T00:00",
    ]
    assert ask(units, request="read_data", di="05060003")[0]["kind"] == "meter_error"


@pytest.mark.parametrize("fault", [Fault.GARBLED, Fault.SILENT])
def test_faults_on_the_line(fault: Fault) -> None:
    one = meter(fault=fault)
    assert ask(Dlt645Units({ADDRESS: one}), request="read_data", di="00010000") == []
    assert (one.fault is Fault.NONE) is (fault is Fault.GARBLED)


def test_rtu_passes_over_noise() -> None:
    one = meter()
    question = Request(4, 3, 0, 2)
    (reply,) = RtuUnits({4: one}).hear(b"\x00\x04\x03" + question.rtu())
    words = matched(question, reply.data).words
    assert words[0] << 16 | words[1] == one.given[-1]


async def test_a_gateway_keeps_its_port_over_an_outage() -> None:
    served = ModbusGateway({1: meter()})
    await served.start()
    port = served.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await served.stop()
    assert await reader.read() == b""
    writer.close()
    await served.start()
    assert served.port == port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(Request(1, 3, 0, 2).tcp(9))
    head = await reader.readexactly(6)
    frame = head + await reader.readexactly(struct.unpack(">H", head[4:])[0])
    assert decode_tcp(frame).transaction == 9
    writer.close()
    await served.stop()


async def test_lines_carry_bytes_over_tcp_and_over_a_device() -> None:
    question = encode_request({"request": "read_data", "address": ADDRESS, "di": "00010000"})
    line = TcpLine(lambda: Dlt645Units({ADDRESS: meter()}))
    await line.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(question)
    first = await asyncio.wait_for(reader.read(100), 5)
    writer.close()
    await line.stop()
    serial = PtyLine(Dlt645Units({ADDRESS: meter()}), baud=9600)
    serial.start()
    fd = os.open(serial.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(fd, lambda: heard.done() or heard.set_result(os.read(fd, 100)))
    os.write(fd, question)
    assert await asyncio.wait_for(heard, 5) == first
    assert serial.busy_s == pytest.approx((len(question) + len(first)) * 11 / 9600)
    asyncio.get_running_loop().remove_reader(fd)
    os.close(fd)
    serial.close()
