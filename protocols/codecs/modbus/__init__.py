"""Modbus: register maps as data, questions and answers over RTU and TCP (REQUIREMENTS 19).

registers = parse_map(point.registers)
for block in blocks(registers):
    request = Request(unit, block.function, block.address, block.count)
    response = matched(request, answer_bytes)
    for register, value in block.values(response.words): ...
"""

from protocols.codecs.modbus.blocks import Block, blocks
from protocols.codecs.modbus.frames import Request, Response, decode_rtu, decode_tcp, match, matched
from protocols.codecs.modbus.receiver import RtuReceiver, TcpReceiver
from protocols.codecs.modbus.registers import Register, parse_map

__all__ = [
    "Block",
    "Register",
    "Request",
    "Response",
    "RtuReceiver",
    "TcpReceiver",
    "blocks",
    "decode_rtu",
    "decode_tcp",
    "match",
    "matched",
    "parse_map",
]
