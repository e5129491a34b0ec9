"""Lines and batches: contiguous, chained, bounded; what a newer box adds does not block it (L-32, DESIGN 2.2)."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Refused
from protocols.uplink.envelope import (
    GENESIS,
    MAX_BATCH_BYTES,
    Event,
    compact,
    decode_batch,
    decode_line,
    encode_batch,
    encode_line,
    line_hash,
)

BOX, EPOCH = "box-01", "0123456789abcdef"


def chain(count: int, first: int = 1, prev: str = GENESIS, **more: object) -> list[bytes]:
    lines = []
    for seq in range(first, first + count):
        fields = {
            "v": 1, "box": BOX, "stream": "money", "epoch": EPOCH, "seq": seq, "prev": prev, "boot": "b", "mono_ms": seq,
            "at": "2026-11-24T12:00:00.000+08:00", "clock": "synced", "kind": "stroke", "body": {"n": seq}, **more,
        }  # fmt: skip
        lines.append(compact(fields))
        prev = line_hash(lines[-1])
    return lines


def code(payload: bytes) -> str:
    with pytest.raises(Refused) as caught:
        decode_batch(payload)
    return caught.value.code


def test_a_batch_comes_out_as_it_went_in() -> None:
    lines = chain(5, first=7, prev="a" * 64)
    batch = decode_batch(encode_batch(BOX, "money", EPOCH, 7, lines))
    assert [line.raw for line in batch.lines] == lines
    assert [line.event.seq for line in batch.lines] == [7, 8, 9, 10, 11]
    assert encode_line(batch.lines[0].event) == lines[0]


def test_a_later_version_may_add_fields() -> None:
    """The line keeps its bytes and its hash; whether the body can be read is decided by `v`."""
    lines = chain(2, v=2, trace="x")
    batch = decode_batch(encode_batch(BOX, "money", EPOCH, 1, lines))
    assert [line.event.v for line in batch.lines] == [2, 2]
    assert batch.lines[0].hash == line_hash(lines[0])


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b"", "bad_batch", id="nothing"),
        pytest.param(b'{"a":1}', "bad_batch", id="foreign JSON"),
        pytest.param(zlib.compress(b'{"a":1}'), "bad_batch", id="foreign JSON, compressed"),
        pytest.param(zlib.compress(b"0" * (MAX_BATCH_BYTES + 1)), "bad_batch", id="a bomb"),
        pytest.param(encode_batch(BOX, "money", EPOCH, 1, chain(2))[:-3], "bad_batch", id="cut off"),
        pytest.param(encode_batch(BOX, "money", EPOCH, 2, chain(2)), "bad_batch", id="another first"),
        pytest.param(encode_batch("box-02", "money", EPOCH, 1, chain(2)), "bad_batch", id="another box's events"),
        pytest.param(encode_batch(BOX, "money", EPOCH, 1, [b"not json", *chain(1)]), "bad_event", id="no event"),
        pytest.param(encode_batch(BOX, "money", EPOCH, 1, [chain(1)[0], chain(2)[1][:-1] + b" }"]), "", id="blank kept"),
        pytest.param(
            encode_batch(BOX, "money", EPOCH, 1, [chain(1)[0], *chain(1, first=2, prev="b" * 64)]), "broken_chain", id="link"
        ),
    ],
)
def test_what_is_no_batch_is_refused(payload: bytes, expected: str) -> None:
    if expected:
        assert code(payload) == expected
    else:
        assert len(decode_batch(payload).lines) == 2


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    for payload in (noise, zlib.compress(noise)):
        with pytest.raises(Refused):
            decode_batch(payload)


def test_a_line_is_hashed_by_its_bytes() -> None:
    raw = chain(1)[0]
    spaced = json.dumps(json.loads(raw)).encode()
    assert decode_line(spaced).event == decode_line(raw).event == Event.model_validate_json(raw)
    assert decode_line(spaced).hash != decode_line(raw).hash
