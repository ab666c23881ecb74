"""Which training examples are to be forgotten: one small file and one record a strategy, and their list.

No NumPy is loaded, since the configuration asks which strategies there are while the Snakefile is parsed.
`python -m unlearning_metric.config config/README.md` writes what the records say into the page.
"""

from __future__ import annotations

from unlearning_metric.strategies import at_random, by_class, by_difficulty, by_group, by_index, medium, of_classes
from unlearning_metric.strategies.record import Strategy

#: Strategy name -> its record, in the order in which they are documented.
STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        at_random.STRATEGY,
        by_class.STRATEGY,
        of_classes.STRATEGY,
        by_group.STRATEGY,
        by_index.STRATEGY,
        by_difficulty.HARDEST,
        medium.STRATEGY,
        by_difficulty.EASIEST,
    )
}
