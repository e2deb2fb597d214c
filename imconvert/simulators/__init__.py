"""Stand-ins for the vendors' side, for rehearsals and tests.

Plan: one folder a vendor. Each does what the vendor's documents say that the vendor does, and judges what it gets by
rules of its own.
Promise: no code is shared with the side that is rehearsed (`serve`, `vendors`, `convert`), so that a mistake there is
not made here again and thereby hidden.
"""
