"""What an output folder says of itself: the ledger, the manifest, the secrets, and how a run is published."""
