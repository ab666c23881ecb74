"""What people look at: figures, and one self-contained page of everything a run found."""
