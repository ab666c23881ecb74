"""Whether NVIDIA's multi-process service is found."""

from unlearning_metric.host.mps import mps_runs


def test_the_service_is_looked_for_where_cuda_looks(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not mps_runs()
    (tmp_path / "control").touch()
    assert mps_runs()
