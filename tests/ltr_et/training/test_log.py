import pytest

from ltr_et import jsonl
from ltr_et.training.log import Meter, TrainingLog, plot, series


def test_records_beyond_the_resumption_are_dropped(tmp_path):
    log = TrainingLog(tmp_path, tensorboard=False)
    for samples in (32, 64, 96):
        log.write("train", samples, loss=1 / samples)
    log.close()
    TrainingLog(tmp_path, samples=64, tensorboard=False).write("event", 64, event="resumed")
    assert [(r["kind"], r["samples"]) for r in jsonl.read(log.path)] == [
        ("train", 32), ("train", 64), ("event", 64)
    ]  # fmt: skip


def test_meter_averages_and_counts_waiting():
    meter = Meter()
    meter.add(8, 0.0, loss=1.0)
    meter.add(8, 1e9, loss=3.0)
    values = meter.averages()
    assert values["loss"] == 2.0
    assert values["waiting"] == 1.0
    assert values["samples_per_second"] > 0


def test_tensorboard_gets_the_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLog(tmp_path)
    log.write("train", 10, loss=0.5, stage="heads")
    log.close()
    log = TrainingLog(tmp_path)  # a run that begins anew in the same folder
    log.write("train", 5, loss=0.7, stage="heads")
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["scalars"] == ["train/loss"]
    assert [one.step for one in events.Scalars("train/loss")] == [5]


def test_curves_take_tracking_results_from_beside_the_log(tmp_path):
    log = TrainingLog(tmp_path, tensorboard=False)
    for samples in (10, 20):
        log.write("train", samples, **{"Loss/total": 1.0, "rate": 0.5, "samples_per_second": 3.0})
    log.write("event", 10, event="stage", stage="all")
    log.write("validation", 20, iou=0.7)
    (tmp_path / "tracking.jsonl").write_text(
        '{"kind": "tracking", "samples": 20, "auc": 60.1}\n{"kind": "tracking", "auc": 62.6}\n'
    )
    output = plot(log.path, tmp_path / "curves.png")
    assert output.read_bytes().startswith(b"\x89PNG")
    assert series(jsonl.read(log.path), "train", "Loss/total") == ([10, 20], [1.0, 1.0])
    tracking = jsonl.read(tmp_path / "tracking.jsonl")
    assert series(tracking, "tracking", "auc") == ([20], [60.1])  # without the peer


def test_a_log_without_records_still_gives_a_picture(tmp_path):
    assert plot(tmp_path / "log.jsonl", tmp_path / "c.png").stat().st_size > 0
