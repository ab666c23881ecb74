"""The plan of a large experiment. How long it takes and how much memory: benchmarks/scale.py."""

from test_dry_run import expected_counts


def test_512_models_25_methods_and_three_forget_sets(untouched):
    for forget in ({"strategy": "random", "count": 72}, {"strategy": "random", "fraction": 0.02},
                   {"strategy": "class", "label": 3}):  # fmt: skip
        untouched.configure(copies=512, shard_size=32, forget=forget, methods={}, skip=["mixture", "oracle_matching"])

        assert untouched.counts() == expected_counts(methods=25, shards=16)
