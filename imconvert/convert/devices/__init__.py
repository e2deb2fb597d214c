"""Packages for devices: a copy of each arranged message for everybody who has it, by user."""
