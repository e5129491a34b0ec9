"""Wire formats of meters, boards, cards and cameras, without I/O: bytes in, values out, and back.

A codec never guesses: what it cannot read is Refused with a kind of `protocols.codecs.problems`, and a refused frame gives no
value at all.
"""
