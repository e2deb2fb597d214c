"""Shards of a REST target to the target: stages in order, lanes by conversation, through `deliver`."""
