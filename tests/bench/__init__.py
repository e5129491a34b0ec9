"""`python -m tests.bench`: the figures of DESIGN section 9, measured on this machine (`make bench`)."""
