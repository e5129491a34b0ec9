"""The physics of lanes: pure, stepped in milliseconds, the same for real and virtual time."""
