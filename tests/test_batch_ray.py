"""`zoo batch --engine ray`, on a cluster on this machine; skipped where Ray is not installed."""

import sys
from functools import partial

import pytest
from batch_models import crash_opener, quick_opener

import zoo
from zoo.batching import run
from zoo.batching.pool import Limits
from zoo.batching.ray_pool import RayPool

pq = pytest.importorskip("pyarrow.parquet")


def test_without_ray_it_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(zoo.ConfigError, match=r"pip install 'music-zoo\[ray\]'"):
        RayPool(quick_opener, 1, Limits(), None)


@pytest.fixture(scope="module")
def cluster():
    """Three nodes of one CPU each; yields the cluster."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    cluster.nodes = [cluster.add_node(**options) for _ in range(2)]
    yield cluster
    cluster.shutdown()


def work(out, source, cluster, opener, pools=None, limits=Limits()):  # noqa: B008
    def start():
        pool = RayPool(opener, 3, limits, cluster.address)
        if pools is not None:
            pools.append(pool)
        return pool

    return run.run(start, "0" * 64, [str(source)], out, settings={}, progress=False, part=10)


@pytest.mark.filterwarnings("ignore")
def test_a_lost_node_loses_no_track_and_doubles_none(cluster, tmp_path, monkeypatch):
    folder = tmp_path / "songs"
    folder.mkdir()
    for i in range(40):
        (folder / f"{i:02d}.mp3").write_bytes(b"x" * i)
    for name in ("crash", "raise"):
        (folder / f"{name}.mp3").touch()
    added, add = [], run.Status.add

    def lose_a_node(status, outcome):
        add(status, outcome)
        added.append(outcome)
        if len(added) == 10:
            cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)

    monkeypatch.setattr(run.Status, "add", lose_a_node)
    summary = work(tmp_path / "out", folder, cluster, partial(crash_opener, 0.05))
    assert (summary.tracks, summary.failed) == (40, 2)
    found = pq.read_table(tmp_path / "out" / "tracks").to_pylist()
    assert sorted(row["size"] for row in found) == list(range(40))
    reasons = pq.read_table(tmp_path / "out" / "failed.parquet")["reason"].to_pylist()
    assert any("SIGSEGV" in reason for reason in reasons)
