"""Exports in the cache: built once, rebuilt when damaged or stale, by several processes at once."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import re

import pytest

from pytracking_et.engines import cache
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.package import METADATA, Metadata, Reference, check, sample_crop
from pytracking_et.errors import EngineError
from tests.engines.conftest import NETWORK


def small_export(folder):
    """An export whose only graph is a few bytes."""
    from pytracking_et.files import sha256

    (folder / "search_256.onnx").write_bytes(b"graph")
    files = {"search_256.onnx": sha256(folder / "search_256.onnx")}
    Metadata(
        "onnx", 17, NETWORK, "f32", "0" * 64, (127,), (256,), 16, (0.5,), (0.2,), {}, {}, files
    ).write(folder)


def age(folder):
    fields = json.loads((folder / METADATA).read_text())
    (folder / METADATA).write_text(json.dumps({**fields, "revision": 0}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "search_256.onnx").unlink(), "missing or damaged"),
        (lambda folder: (folder / "search_256.onnx").write_bytes(b"grapf"), "missing or damaged"),
        (lambda folder: (folder / METADATA).write_text('{"format": '), "cannot read"),
        (age, "revision 0"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "cannot read"),
    ],
)
def test_damaged_exports_are_rebuilt(tmp_path, damage, words, capsys):
    folder, built = tmp_path / "engines" / "x", []

    def build(target):
        built.append(target)
        small_export(target)

    cache.ensure(folder, build, "x")
    cache.ensure(folder, build, "x")
    assert len(built) == 1
    damage(folder)
    assert cache.ensure(folder, build, "x").network == NETWORK
    assert len(built) == 2
    check(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["x"]
    assert re.search(f"rebuilt: .*{words}", capsys.readouterr().err)


def test_exports_that_nothing_opens_go_when_another_is_made(tmp_path):
    folder = tmp_path / "engines"
    for name in ("net-a-f32-1", "net-a-f32-2", "choices"):
        (folder / name).mkdir(parents=True)
        small_export(folder / name)
        os.utime(folder / name, (0, 0))
    cache.ensure(folder / "net-a-f32-2", small_export, "x")  # opened today
    cache.ensure(folder / "net-a-f32-3", small_export, "x")
    assert {path.name for path in folder.iterdir()} == {"net-a-f32-2", "net-a-f32-3", "choices"}


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(target):
        small_export(target)
        raise EngineError("no exporter")

    with pytest.raises(EngineError, match="no exporter"):
        cache.ensure(tmp_path / "engines" / "x", build, "x")
    assert list((tmp_path / "engines").iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "engines").write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="PYTRACKING_ET_CACHE"):
        cache.ensure(tmp_path / "engines" / "x", small_export, "x")


@pytest.mark.parametrize(
    "changed", [{"network": "other"}, {"digest": "1" * 64}, {"precision": "int8"}]
)
def test_folders_differ_by_all_that_matters(changed, tmp_path):
    weights = tmp_path / "net.safetensors"
    usual = {"network": NETWORK, "path": weights, "digest": "0" * 64, "precision": "f32"}

    def folder(precision, **model):
        return cache.export_folder(Model(**model), precision)

    assert folder(**usual) == folder(**usual)
    assert folder(**usual) != folder(**{**usual, **changed})


def build_at_once(folder, barrier, answers):
    def build(target):
        barrier.wait(60)  # both are in the middle of building
        small_export(target)

    answers.put(cache.ensure(folder, build, "x").files)


@pytest.mark.slow
def test_two_processes_build_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    folder, barrier, answers = tmp_path / "engines" / "x", context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=build_at_once, args=(folder, barrier, answers)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    results = [answers.get(timeout=90) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert results[0] == results[1]
    assert [path.name for path in folder.parent.iterdir()] == ["x"]


def test_damaged_compiled_graphs_are_not_run(exported_here, searches):
    pytest.importorskip("openvino")
    from pytracking_et.engines.runtimes.openvino import open_folder

    metadata = Metadata.read(exported_here)
    reference, kept = Reference.read(exported_here / "reference.npz"), exported_here / "compiled"
    first = open_folder(exported_here, metadata, threads=1, compiled_folder=kept)
    assert reference.difference(first)["score"] < 1e-4
    blobs = list(exported_here.glob("compiled/*.blob"))
    assert blobs
    for blob in blobs:
        content = bytearray(blob.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 2000] = bytes(2000)
        blob.chmod(0o600)
        blob.write_bytes(content)
    damaged = {blob: blob.read_bytes() for blob in blobs}
    second = open_folder(exported_here, metadata, threads=1, compiled_folder=kept)
    assert reference.difference(second)["score"] < 1e-4
    assert all(blob.read_bytes() != content for blob, content in damaged.items())
    third = open_folder(exported_here, metadata, threads=1, compiled_folder=kept)
    assert reference.difference(third)["score"] < 1e-4


def test_changed_code_has_a_folder_of_its_own(tmp_path, monkeypatch):
    for name in ("network/towers/layer.py", "engines/cache.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("a = 1\n")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "engines" / "cache.py"))
    codes = []
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "network/towers/layer.py").write_text(text)
        codes.append(cache.graph_code.__wrapped__())
    assert codes[0] == codes[2] != codes[1]


def test_a_full_disk_is_an_engine_error(tmp_path):
    def build(target):
        raise OSError(28, "No space left on device")

    with pytest.raises(EngineError, match="takes no more.*No space left.*PYTRACKING_ET_CACHE"):
        cache.ensure(tmp_path / "engines" / "x", build, "x")
    assert list((tmp_path / "engines").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("template_128", "reference_128_256.npz"),
        ("search_288", "reference_127_288.npz"),
        ("search_256", "reference.npz"),
    ],
)
def test_graphs_that_answer_wrong_are_not_kept(kind, name, exported_here):
    pytest.importorskip("openvino")
    from pytracking_et.engines.runtimes.openvino import open_folder

    reference = Reference.read(exported_here / name)
    wrong = dataclasses.replace(reference, distances=reference.distances + 1)
    wrong.write(exported_here / name)
    metadata, kept = Metadata.read(exported_here), exported_here / "compiled"
    runtime = open_folder(exported_here, metadata, threads=1, compiled_folder=kept)
    with pytest.raises(EngineError, match="wrong here.*1 px"):
        runtime.graph(*[int(part) if part.isdigit() else part for part in kind.split("_")])
    assert not list(exported_here.glob(f"compiled/{kind}*"))
    reference.write(exported_here / name)
    runtime = open_folder(exported_here, metadata, threads=1, compiled_folder=kept)
    for side in (127, 128):
        runtime.template(sample_crop(side, 0))
    for side in (192, 224, 256, 288):
        runtime.track(runtime.template(sample_crop(127, 0)), sample_crop(side, 0))
    assert len(list(exported_here.glob("compiled/*.blob"))) == 6


def test_content_comes_back_and_may_be_written_to(tmp_path):
    path = tmp_path / "folder" / "a.blob"
    content = bytes(range(256)) * 9000  # more than one chunk
    path.parent.mkdir()
    cache.write_sealed(path, content)
    mapped = cache.read_sealed(path)
    assert mapped.tobytes() == content
    mapped[0] = 7
    assert cache.read_sealed(path).tobytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: b"",
        lambda stored: stored[:-1],
        lambda stored: stored[:40],
        lambda stored: bytes([stored[0] ^ 1]) + stored[1:],
        lambda stored: stored + b"0",
    ],
)
def test_damaged_files_are_not_read(tmp_path, damage):
    path = tmp_path / "a.blob"
    assert cache.read_sealed(path) is None
    cache.write_sealed(path, b"compiled" * 10)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read_sealed(path) is None
