"""Arrears (欠费): ageing, warnings, dunning."""
