"""Ranks score documents and writes the leaderboard."""
