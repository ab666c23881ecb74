"""Runs a method once for each copy."""
