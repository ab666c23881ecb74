"""Code of the user's: what it may ask for, how it is loaded and called, what it returns."""
