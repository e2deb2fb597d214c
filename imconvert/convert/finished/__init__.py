"""What is made of finished outputs: replays, hand-overs, checks of references, recent conversations."""
