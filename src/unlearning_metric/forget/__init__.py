"""The split: which examples are forgotten, retained, probed."""
