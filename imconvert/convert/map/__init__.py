"""Map: one segment becomes one part. Good records leave lines and keys, the others rejects and skips."""
