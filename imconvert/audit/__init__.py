"""Read-only questions about a finished output folder."""
