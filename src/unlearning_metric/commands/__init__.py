"""Commands that need no workflow, one module each."""
