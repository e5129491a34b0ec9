"""One question and all its answers: which frame belongs to it, and what is asked next when a meter has more to say.

talk = Conversation(request_frame(fields))
send(talk.request.encode(4)); for frame in stream.feed(received): done = talk.receive(frame)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocols.codecs.dlt645.frame import Frame, covers
from protocols.codecs.dlt645.replies import Part, edition, is_read, part, read_item, refusal, told
from protocols.codecs.dlt645.requests import FUNCTIONS, di_size
from protocols.codecs.problems import problem, to_hex

MAX_PARTS = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `said` as `replies.told` writes it, long answers joined."""

    frame: Frame
    said: dict[str, Any]


class Conversation:
    """`request` is what to send; `receive` gives the Answer, or None after which `request` is the follow-up to send.

    Refused, with what to do: `echo`, `wrong_address`, `wrong_function`, `wrong_di`, `bad_sequence` belong to another question:
    drop and go on waiting. `device_refused`: final, never asked again in this round.
    """

    def __init__(self, request: Frame) -> None:
        self.request = request
        self._parts: list[Part] = []

    def receive(self, frame: Frame) -> Answer | None:
        self._check_origin(frame)
        if frame.refused:
            why = refusal(frame)
            raise problem("device_refused", f"code {why['code']}", flags=why["flags"])
        if not is_read(frame):
            return Answer(frame, told(frame))
        found = part(frame)
        self._check_part(found)
        self._parts.append(found)
        if frame.more:
            if len(self._parts) == MAX_PARTS:
                raise problem("too_long", f"more than {MAX_PARTS} parts")
            self.request = self._follow_up()
            return None
        which = edition(frame)
        said = {"protocol": which, "address": frame.address, "control": f"{frame.control:02X}", "di": found.di}
        return Answer(frame, said | read_item(which, found.di, b"".join(one.data for one in self._parts)))

    def awaits(self, frame: Frame) -> bool:
        """Whether a frame to be sent is the follow-up of this conversation, not a new question."""
        return bool(self._parts) and frame == self.request

    def _check_origin(self, frame: Frame) -> None:
        if not frame.from_meter:
            raise problem("echo", "a question, not an answer")
        if not covers(self.request.address, frame.address):
            raise problem("wrong_address", f"{frame.address} instead of {self.request.address}")
        if frame.function != self.request.function:
            raise problem("wrong_function", f"function {frame.function:02X} instead of {self.request.function:02X}")

    def _check_part(self, found: Part) -> None:
        asked = self.request.data[: di_size(edition(self.request))]
        if found.di != to_hex(asked[::-1]):
            raise problem("wrong_di", f"{found.di} instead of {to_hex(asked[::-1])}")
        if found.seq is not None and found.seq != len(self._parts):
            raise problem("bad_sequence", f"part {found.seq} instead of {len(self._parts)}")

    def _follow_up(self) -> Frame:
        which = edition(self.request)
        di = self.request.data[: di_size(which)]
        number = bytes([len(self._parts)]) if which == "2007" else b""
        return Frame(self.request.address, FUNCTIONS[which]["read_next"], di + number)
