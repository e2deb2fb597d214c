"""Yunxin's side of the increment feed: it asks a URL now and then and takes what it gets (yunxin.md §2)."""
