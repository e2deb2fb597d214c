"""The converter: plan, map each segment, resolve keys, seal shards, publish; and the local driver of it all.

    inputs -> plan -> segments -> map -> parts + keys -> resolve -> drops -> seal -> shards -> publish -> manifest

Only file names and numbers pass between processes. Everything in `.work/` is a cache with checksums.
"""
