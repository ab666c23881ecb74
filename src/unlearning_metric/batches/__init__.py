"""Batches of examples: loaders and augmentation."""
