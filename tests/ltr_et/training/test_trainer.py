import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ltr_et.actors import ETActor
from ltr_et.jsonl import read as read_log
from ltr_et.locks import alone
from ltr_et.settings import Settings, Stage
from ltr_et.training import checkpoint
from ltr_et.training import trainer as trainer_module
from ltr_et.training.data import PairData
from ltr_et.training.distributed import Group
from ltr_et.training.trainer import Trainer, TrainingError, split
from pytracking_et.errors import CheckpointError
from pytracking_et.network.weights import fingerprint

from ..networks import RandomPairs, feature_pairs, small_heads

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    """What the curves show is tested in test_log.py; drawing takes longer than these trainings."""
    monkeypatch.setattr(trainer_module, "plot", lambda log, picture: picture.touch())


def settings(folder, *stages, save_minutes=1e-9, **values):
    return Settings(
        workspace=folder, stages=list(stages), record_steps=1, save_minutes=save_minutes,
        validate_minutes=0, snapshot_minutes=0, use_gpu=False, **values,
    )  # fmt: skip


def trainer(made, pairs=None, group=None, **parts):
    group = group or Group()
    net = small_heads()
    source = pairs or RandomPairs(4)
    return Trainer(
        made, group, net,
        actor=lambda stage: ETActor(net, None, stage.losses, fast=stage.fast, keep=stage.keep),
        data=lambda stage, state: PairData(source, stage, made, group), **parts,
    )  # fmt: skip


def losses(made):
    return [r["Loss/total"] for r in read_log(made.folder / "log.jsonl") if r["kind"] == "train"]


def stage(name="heads", samples=8, **values):
    values = {"batch": 2, "micro_batch": 0, "warmup": 1, "lr": 1e-3} | values
    return Stage(name, samples, **values)


def test_two_stages_start_from_the_average_and_are_recorded(tmp_path):
    made = settings(tmp_path, stage(), stage("all", 4, rates={"exemplar": 1, "neck": 1}))
    exported, seen = [], []
    run = trainer(
        made,
        validate=lambda net: {"iou": 0.5},
        export=lambda state, samples, path: exported.append((samples, path.name)),
        before_stage=lambda net, stage: seen.append(stage.name),
    )
    assert run.run()
    assert len(losses(made)) == 6
    assert seen == ["heads", "all"]
    assert exported[-1] == (12, "final.safetensors")
    kinds = [r["kind"] for r in read_log(made.folder / "log.jsonl")]
    assert kinds.count("validation") == 3
    assert (made.folder / "curves.png").is_file()
    state = checkpoint.load(made.folder / "latest.pth")
    assert (state["stage"], state["samples"]) == (2, 12)
    assert json.loads(state["settings"])["stages"][1]["name"] == "all"
    assert state["revision"]


def test_a_run_that_is_over_stays_over(tmp_path):
    made = settings(tmp_path, stage(samples=2))
    assert trainer(made).run()
    assert trainer(made, pairs="must not be read").run()


def test_another_run_does_not_pass_for_the_finished_one(tmp_path):
    assert trainer(settings(tmp_path, stage(samples=2))).run()
    other = settings(tmp_path, stage(samples=2), seed=1)
    with pytest.raises(TrainingError, match="seed: 0 -> 1.*--fresh"):
        trainer(other)
    other.fresh = True
    assert trainer(other).run()
    assert losses(other) and checkpoint.load(other.folder / "latest.pth")["stage"] == 1


def test_micro_batches_change_nothing(tmp_path):
    curves = []
    for size in (0, 1):
        made = settings(tmp_path / str(size), stage(micro_batch=size), save_minutes=0)
        trainer(made).run()
        curves.append(losses(made))
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


# Scaled by 65536, float16 overflows in the first steps: the scale then reached decides the rest.
@pytest.mark.parametrize("precision, lr", [("float32", 1e-3), ("float16", 0.1)])
def test_an_interrupted_run_repeats_the_curve(tmp_path, precision, lr):
    # The network's own layers have dropout.
    only = stage(samples=12, fast=False, lr=lr)
    whole = settings(tmp_path / "a", only, save_minutes=0, precision=precision)
    halves = settings(tmp_path / "b", only, precision=precision)
    trainer(whole).run()

    class Killed(Exception):
        pass

    class Dies(RandomPairs):
        def __getitem__(self, key):
            if key[1] >= 8:
                raise Killed
            return super().__getitem__(key)

    with pytest.raises(Killed):
        trainer(halves, pairs=Dies(4)).run()
    assert len(losses(halves)) == 4
    # As if the last two steps had happened after the last save.
    state = checkpoint.load(halves.folder / "latest.pth")
    assert state["step"] == 4
    trainer(halves).run()
    assert losses(halves) == losses(whole)


def test_a_changed_rate_is_the_one_it_goes_on_with(tmp_path):
    made = settings(tmp_path, stage(samples=12, ema=0.0), max_minutes=1e-9)
    assert not trainer(made).run()
    later = settings(tmp_path, stage(samples=12, ema=0.0, lr=0.0))
    seen = trainer(later)
    before = {name: value.clone() for name, value in seen.net.state_dict().items()}
    assert seen.step and seen.run()
    after = seen.net.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


class Drawing:
    """Batches made in the process itself, with numbers of torch's, as on a GPU."""

    waited = 0.0

    def state(self):
        return {}

    def batches(self, step):
        while True:
            batch = feature_pairs(2, 4, seed=step)
            yield {**batch, "x": batch["x"] + torch.randn(batch["x"].shape)}
            step += 1


def test_a_step_has_its_random_numbers_again(tmp_path):
    whole, stopped = (settings(tmp_path / n, stage(samples=8), save_minutes=0) for n in "ab")
    for made in (whole, stopped):
        run = trainer(made)
        run._open_data = lambda stage, state: Drawing()
        stopped.max_minutes = 1e-9
        run.run()
    torch.manual_seed(9)
    stopped.max_minutes = 0
    run = trainer(stopped)
    run._open_data = lambda stage, state: Drawing()
    assert run.run()
    assert losses(stopped) == losses(whole)


def test_a_folder_is_trained_in_by_one_process(tmp_path):
    made = settings(tmp_path, stage(samples=2))
    with alone(made.folder, ""), pytest.raises(TrainingError, match="another process.*--workspace"):
        trainer(made).run()
    assert trainer(made).run()


def test_the_weights_it_started_from_may_go(tmp_path):
    initial = tmp_path / "initial.safetensors"
    initial.write_bytes(b"weights")
    made = settings(tmp_path, stage(), initial=initial, max_minutes=1e-9)
    run = trainer(made)
    digest = fingerprint(initial)
    initial.unlink()
    assert not run.run()
    assert checkpoint.load(run.latest)["digests"]["initial"] == digest
    made.max_minutes = 0
    assert trainer(made).run()
    assert checkpoint.load(run.latest)["digests"]["initial"] == digest
    made.initial = tmp_path / "other.safetensors"
    with pytest.raises(CheckpointError, match="other.safetensors do not exist"):
        trainer(made)


def test_a_fresh_run_begins_a_log_of_its_own(tmp_path):
    made = settings(tmp_path, stage(samples=2), fresh=True)
    for _ in range(2):
        trainer(made, validate=lambda net: {"iou": 0.5}).run()
    kinds = [(r["kind"], r["samples"]) for r in read_log(made.folder / "log.jsonl")]
    assert kinds.count(("validation", 0)) == 1


def test_a_loss_that_is_not_finite_stops_and_saves_the_batch(tmp_path):
    class Poisoned(RandomPairs):
        def __getitem__(self, key):
            sample = super().__getitem__(key)
            if key[1] == 5:
                sample["x"] = sample["x"] * float("nan")
            return sample

    made = settings(tmp_path, stage())
    with pytest.raises(TrainingError, match="not_finite.*Lower") as error:
        trainer(made, pairs=Poisoned(4)).run()
    assert "nan" in str(error.value)
    (path,) = made.folder.glob("not_finite_*.pth")
    assert torch.isnan(checkpoint.load(path)["batch"]["x"][1]).any()
    # What was saved before is sound.
    assert checkpoint.load(made.folder / "latest.pth")["step"] == 2


def test_max_minutes_stops_resumably(tmp_path):
    made = settings(tmp_path, stage(), max_minutes=1e-9)
    assert not trainer(made).run()
    assert checkpoint.load(made.folder / "latest.pth")["step"] == 1


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_autocast(tmp_path, fast):
    made, exact = (
        settings(tmp_path / kind, stage(samples=4, fast=fast), save_minutes=0, precision=kind)
        for kind in ("bfloat16", "float32")
    )
    assert trainer(made).run()
    trainer(exact).run()
    assert losses(made) == pytest.approx(losses(exact), rel=0.05)


def test_split_keeps_what_is_no_tensor():
    batch = {"box": torch.zeros(5, 4), "progress": 0.5}
    parts = list(split(batch, 2))
    assert [len(part["box"]) for part in parts] == [2, 2, 1]
    assert parts[0]["progress"] == 0.5
    assert len(list(split(batch, 0))) == 1


def start(folder, batch, steps, *more, processes=1, **options):
    """Run worker.py in a process of its own, or under torchrun."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = str(Path(__file__).with_name("worker.py"))
    command = [sys.executable, *(torchrun if processes > 1 else []), script, str(folder)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [*command, str(batch), str(steps), *more],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process):
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors[-3000:]


def wait_for(count, made):
    deadline = time.monotonic() + 300
    while len(losses(made)) < count and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    for processes in (1, 2):
        finish(start(tmp_path / str(processes), 4, 20, processes=processes))
    curves = [losses(settings(tmp_path / name)) for name in "12"]
    assert len(curves[0]) == 20
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)
    assert curves[0][0] != curves[0][-1]


@pytest.mark.slow
def test_two_processes_on_cpus_train_batch_norm(tmp_path):
    finish(start(tmp_path, 4, 2, "train", processes=2))
    assert len(losses(settings(tmp_path))) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX; os.kill ends a process likewise")
def test_kill_9_and_resume_gives_the_same_curve(tmp_path):
    finish(start(tmp_path / "whole", 2, 12))
    killed, made = start(tmp_path / "killed", 2, 12), settings(tmp_path / "killed")
    wait_for(5, made)
    killed.kill()
    killed.communicate()
    assert 5 <= len(losses(made)) < 12
    finish(start(tmp_path / "killed", 2, 12))
    assert losses(made) == losses(settings(tmp_path / "whole"))


class Interrupting(RandomPairs):
    """Presses Ctrl-C while a sample is made."""

    def __init__(self, at):
        super().__init__(4)
        self.at = at

    def __getitem__(self, key):
        if key == (0, self.at):
            signal.raise_signal(signal.SIGINT)
        return super().__getitem__(key)


@pytest.mark.parametrize("at, steps", [(2, 2), (7, 5)])
def test_ctrl_c_saves_between_two_steps_and_goes_on_as_if_nothing_was(tmp_path, at, steps):
    stages = stage(samples=8), stage("all", 4, rates={"exemplar": 1, "neck": 1})
    undisturbed, stopped = (settings(tmp_path / n, *stages, save_minutes=0) for n in "ab")
    trainer(undisturbed).run()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer(stopped, Interrupting(at)).run()
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(losses(stopped)) == steps
    assert [r["event"] for r in read_log(stopped.folder / "log.jsonl") if "event" in r][-1] == (
        "paused"
    )
    assert trainer(stopped).run()
    assert losses(stopped) == losses(undisturbed)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
@pytest.mark.parametrize("name, processes", [("SIGINT", 1), ("SIGTERM", 1), ("SIGHUP", 1),
                                             ("SIGTERM", 2)])  # fmt: skip
def test_signals_save_the_step_under_way(tmp_path, name, processes):
    made = settings(tmp_path)
    run = start(
        tmp_path, 2, 2000, processes=processes, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    wait_for(3, made)
    os.killpg(run.pid, getattr(signal, name))  # to all, as terminals and batch systems do
    _, errors = run.communicate(timeout=120)
    if processes == 1:
        assert run.returncode == 130
        assert "Traceback" not in errors
    assert "worker: stopped" in errors
    assert checkpoint.load(made.folder / "latest.pth")["step"] == len(losses(made)) >= 3
