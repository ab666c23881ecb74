"""Kernels are compiled wherever their machine code can be kept, or cannot."""

import os
import tempfile

import numba
import pytest

from unlearning_metric.metrics._compiled import compiled


def plus_one(x):
    return x + 1


@pytest.mark.parametrize("place", ["beside the source", "temporary", "nowhere"])
def test_a_kernel_is_compiled_whatever_can_be_written(tmp_path, monkeypatch, place):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    real = numba.njit
    private = tmp_path / f"unlearning-metric-numba-{os.getuid()}"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path if place == "temporary" else tmp_path / "absent"))

    def njit(cache=False, **options):
        if cache and place != "beside the source" and str(private) != numba.config.CACHE_DIR:
            raise RuntimeError("cannot cache function: no locator available")
        return real(cache=cache, **options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(plus_one)(1) == 2
    assert private.exists() == (place == "temporary")
