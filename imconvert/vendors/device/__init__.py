"""Packages for the local databases of users' devices: messages that no server call can import."""
