"""Training from scratch: recipe, engines, the user's own training."""
