"""Files of results: headers, checksums, atomic writes, shards."""

from unlearning_metric.store.files import read_header, read_models, read_npz, read_parquet

__all__ = ["read_header", "read_models", "read_npz", "read_parquet"]
