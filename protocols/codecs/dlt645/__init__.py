"""DL/T 645, editions 2007 and 1997: frames, streams, identifiers, questions and the answers that belong to them.

Sources: DL/T 645-2007 and DL/T 645-1997. Own code because the kept library reads 2007 only, shows forward energy above
799999.99 as negative and knows no relay.
"""

from protocols.codecs.dlt645.conversation import Answer, Conversation
from protocols.codecs.dlt645.frame import BROADCAST, WILDCARD, Frame, StreamDecoder, covers, decode
from protocols.codecs.dlt645.replies import read_item, told
from protocols.codecs.dlt645.requests import Edition, encode_request, request_frame, told_request

__all__ = [
    "BROADCAST",
    "WILDCARD",
    "Answer",
    "Conversation",
    "Edition",
    "Frame",
    "StreamDecoder",
    "covers",
    "decode",
    "encode_request",
    "read_item",
    "request_frame",
    "told",
    "told_request",
]
