"""imconvert: chat history from one messaging cloud to another, every message accounted for."""

__version__ = "0.1.0"
