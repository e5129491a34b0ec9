"""Boxes: their identity, what they report, what they shall hold, what they are told to do."""
