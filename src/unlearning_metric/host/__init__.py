"""This machine: its memory, and folders that no other user of it can write to."""
