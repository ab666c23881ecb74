"""From the outputs of two ensembles to a score document and a per-example table."""
