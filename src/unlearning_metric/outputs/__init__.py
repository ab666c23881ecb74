"""What models say of examples: signals, ensembles, dumps, outputs of models trained elsewhere."""
