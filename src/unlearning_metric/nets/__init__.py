"""Nets by name, torchvision's and the user's."""
