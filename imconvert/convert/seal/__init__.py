"""Seal: a part becomes shards without its drops, each with the indexes that `explain` reads."""
