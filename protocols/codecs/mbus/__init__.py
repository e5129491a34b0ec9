"""M-Bus (EN 13757-2, -3): link frames, the fixed header and the data records of a meter's answer."""

from protocols.codecs.mbus.frames import Frame, decode, encode_long, encode_short
from protocols.codecs.mbus.records import Header, Record, parse_header, parse_records

__all__ = ["Frame", "Header", "Record", "decode", "encode_long", "encode_short", "parse_header", "parse_records"]
