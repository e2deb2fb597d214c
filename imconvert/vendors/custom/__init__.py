"""Self-built systems: whatever a mapping file describes (docs/mapping.md), messages or people.

All but the name is loaded when there is such a file.
"""

NAME = "custom"
