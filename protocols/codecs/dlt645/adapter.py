"""The published DL/T 645 cases (vectors/PROTO-FORMAT): one case -> what its `expect` holds, its `hex`, or its error kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.codecs.dlt645.conversation import Conversation
from protocols.codecs.dlt645.frame import Frame, StreamDecoder, decode
from protocols.codecs.dlt645.replies import told
from protocols.codecs.dlt645.requests import encode_request
from protocols.codecs.problems import parse_hex, problem, to_hex
from protocols.errors import Refused


def try_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """Refused with the error kind of the case."""
    direction = case.get("direction") or _guess(case)
    if direction == "encode":
        return {"hex": to_hex(encode_request(case.get("input") or case.get("expect") or {}))}
    if direction == "decode":
        return told(decode(parse_hex(case.get("hex"))))
    if direction == "stream":
        return _stream(case)
    if direction == "exchange":
        return _exchange(case)
    raise problem("unsupported", f"direction {direction}", field="direction")


def _guess(case: Mapping[str, Any]) -> str:
    return "exchange" if case.get("steps") else "decode" if "hex" in case else "encode"


def _stream(case: Mapping[str, Any]) -> dict[str, Any]:
    decoder = StreamDecoder()
    answer = _fed(decoder, case.get("hex"))
    then = case.get("then")
    if isinstance(then, Mapping):
        answer["then"] = _fed(decoder, then.get("hex"))
    return answer


def _fed(decoder: StreamDecoder, text: object) -> dict[str, Any]:
    frames = [_said(frame) for frame in decoder.feed(parse_hex(text))]
    return {"frames": frames, "remaining": to_hex(decoder.remaining), "rejected": decoder.rejected}


def _said(frame: Frame) -> dict[str, Any]:
    """A sound frame that says nothing this codec understands keeps its error and does not hide its neighbours."""
    try:
        return told(frame)
    except Refused as refused:
        return {"address": frame.address, "control": f"{frame.control:02X}", "error": refused.code}


def _exchange(case: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome of the last receive. A send that is the follow-up the meter asked for goes on with the same conversation."""
    talk: Conversation | None = None
    outcome: dict[str, Any] = {}
    steps = case.get("steps") or ()
    last = max((number for number, step in enumerate(steps) if "receive" in step), default=-1)
    for number, step in enumerate(steps):
        if "send" in step:
            sent = decode(parse_hex(step["send"], field="steps"))
            talk = talk if talk is not None and talk.awaits(sent) else Conversation(sent)
        if "receive" not in step or talk is None:
            continue
        try:
            outcome = _received(talk, parse_hex(step["receive"], field="steps"))
        except Refused:
            if number == last:
                raise
    return outcome


def _received(talk: Conversation, data: bytes) -> dict[str, Any]:
    """The answer among what was received; what belongs to other questions is dropped as long as more follows."""
    frames = StreamDecoder().feed(data)
    if not frames:
        frames = [decode(data)]
    for frame in frames[:-1]:
        try:
            answer = talk.receive(frame)
        except Refused as refused:
            if refused.code.startswith("device_"):
                raise
            continue
        if answer is not None:
            return answer.said
    answer = talk.receive(frames[-1])
    return told(frames[-1]) if answer is None else answer.said
