"""May this vehicle pass? Lists and passes -> a decision that names the rule which won (K-03, K-09). Pure."""

from protocols.admission.rules import CASUAL, Decision, decide

__all__ = ["CASUAL", "Decision", "decide"]
