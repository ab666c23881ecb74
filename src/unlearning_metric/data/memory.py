"""How much memory there is for a data set, which is kept in memory whole."""

from __future__ import annotations

from unlearning_metric.data.images import DataError
from unlearning_metric.host.memory import available_bytes

#: A job holds the stored data set and the examples it selects from it.
COPIES = 2


def require_memory(stored: int, what: str, advice: str) -> None:
    """Check that a data set of ``stored`` bytes fits into memory, before it is read.

    Raises
    ------
    DataError
        Gives both numbers; ``what`` names the data and ``advice`` says how to make them smaller.
    """
    needed, available = COPIES * stored, available_bytes()
    if available is not None and needed > available:
        raise DataError(
            f"{what}: {stored / 1e9:.2f} GB of pixels, of which a job holds {COPIES} copies. That is "
            f"{needed / 1e9:.2f} GB, and {available / 1e9:.2f} GB of memory are free. {advice}"
        )
