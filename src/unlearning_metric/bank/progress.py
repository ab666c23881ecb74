"""How far a long read is, on the terminal."""

from __future__ import annotations

import sys
import time

#: Seconds between two lines, and before the first.
INTERVAL = 2.0


class ByteProgress:
    """Told how many more bytes were read, it prints a line now and then.

    Parameters
    ----------
    what : what is being done
    total : bytes in all; None where nobody knows
    """

    def __init__(self, what: str, total: int | None) -> None:
        self.what, self.total, self.done = what, total, 0
        self.last = time.monotonic()

    def __call__(self, more: int) -> None:
        """Count ``more`` bytes."""
        self.done += more
        now = time.monotonic()
        if now - self.last >= INTERVAL:
            self.last = now
            of_all = f" of {self.total / 1e6:.0f} MB ({self.done / self.total:.0%})" if self.total else " MB"
            print(f"{self.what}: {self.done / 1e6:.0f}{of_all}", file=sys.stderr, flush=True)
