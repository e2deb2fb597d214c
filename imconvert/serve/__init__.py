"""The only listener: the increment feed, and what others append to it while it serves (docs/serve.md)."""
