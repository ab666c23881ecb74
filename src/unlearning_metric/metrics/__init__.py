"""Metrics: numpy arrays [models, examples] in, numbers out. No torch, no files, no configuration."""
