"""Yunxin's side: it asks the increment feed and takes what it gets (yunxin.md §2); its REST server is in `server`."""
