"""The one door through which inputs are read: any path to pieces, any piece to batches of located raw records."""
