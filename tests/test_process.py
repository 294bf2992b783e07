"""Signals, streams and surroundings, each in a process of its own."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import pytest

from pytracking_et import files, process
from pytracking_et.errors import ParameterError

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="signals and descriptors of POSIX systems")

WAITS = """
import signal, sys, time
from pytracking_et import process
signal.signal(signal.SIGINT, {sigint})
signal.signal(signal.SIGHUP, {sighup})
def work():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.3)
        print("saved", flush=True)
    return 0
sys.exit(process.run("prog", work, lambda: "the same command goes on"))
"""


def start(program, **keywords):
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **keywords,
    )  # fmt: skip


def waiting(sigint="signal.default_int_handler", sighup="signal.SIG_DFL"):
    run = start(WAITS.format(sigint=sigint, sighup=sighup))
    assert run.stdout.readline() == "ready\n"
    return run


@posix
@pytest.mark.parametrize(
    "names", [["SIGINT"], ["SIGTERM"], ["SIGHUP"], ["SIGTERM", "SIGTERM"], ["SIGHUP", "SIGTERM"]]
)
def test_every_way_to_stop_is_ctrl_c_and_its_repetition_harms_nothing(names):
    run = waiting()
    for name in names:
        run.send_signal(getattr(signal, name))
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, output) == (130, "saved\n")
    assert errors == "prog: stopped; the same command goes on\n"


@posix
def test_a_job_in_the_background_of_a_script_ends_by_sigterm_alone():
    run = waiting(sigint="signal.SIG_IGN")
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGTERM)
    assert run.communicate(timeout=30)[0] == "saved\n"
    assert run.returncode == 130


@posix
def test_nohup_is_respected():
    run = waiting(sighup="signal.SIG_IGN")
    run.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.5)
    run.send_signal(signal.SIGTERM)
    assert run.communicate(timeout=30)[0] == "saved\n"


@posix
def test_a_closed_terminal_does_not_end_the_saving(tmp_path):
    import pty

    program = f"""
import sys, time
from pathlib import Path
from pytracking_et import process
def work():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("the terminal is gone", file=sys.stderr, flush=True)
        Path({str(tmp_path / "saved")!r}).write_text("all")
sys.exit(process.run("prog", work))
"""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", program])
    assert b"ready" in os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert (tmp_path / "saved").read_text() == "all"


def test_errors_of_ours_are_a_sentence_and_handlers_are_given_back(capsys):
    def work():
        raise ParameterError("no such thing")

    before = signal.getsignal(signal.SIGTERM)
    assert process.run("prog", work) == 2
    assert capsys.readouterr().err == "prog: error: no such thing\n"
    assert signal.getsignal(signal.SIGTERM) is before
    codes = []
    thread = threading.Thread(target=lambda: codes.append(process.run("prog", lambda: 7)))
    thread.start()
    thread.join()
    assert codes == [7]


def test_a_full_disk_is_a_sentence_and_other_errors_of_the_system_are_not(capsys):
    def work(number):
        raise OSError(number, os.strerror(number), "log.jsonl")

    assert process.run("prog", lambda: work(errno.ENOSPC)) == 2
    assert "No space left on device: 'log.jsonl'; make room" in capsys.readouterr().err
    for number in (errno.EACCES, errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        assert process.run("prog", lambda number=number: work(number)) == 2
        assert "'log.jsonl'; name another path" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        process.run("prog", lambda: work(errno.ENOENT))


def test_a_package_that_an_installation_for_tracking_lacks_is_a_sentence(capsys):
    def work(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    assert process.run("ettrack results", lambda: work("pandas.core")) == 2
    assert 'error: this needs pandas; pip install "pandas"' in capsys.readouterr().err
    assert process.run("ettrack results", lambda: work("torch")) == 2
    assert 'error: this needs torch; pip install "torch<2.14"' in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        process.run("ettrack results", lambda: work("pytracking_et.gone"))


def test_a_loop_is_told_first_and_interrupted_next(monkeypatch, capfd):
    with process.deferred_stop("saving") as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # the same wish
        assert stop.asked
        monkeypatch.setattr(process, "REPEAT_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == "\nsaving\n"


@posix
def test_a_loop_that_is_told_first_hears_sigterm_too():
    with process.stop_signals(), process.deferred_stop("saving") as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked


COMMAND = "from pytracking_et.commands import main; import sys; sys.exit(main({arguments}))"


@posix
@pytest.mark.parametrize("closed", [(2,), (1,), (0, 1, 2)])
def test_closed_streams(tmp_path, closed):
    # The next file opened would take the number of a closed one, and get what is written to it.
    target = tmp_path / "file"
    program = f"""
import os, sys
for number in {closed}:
    os.close(number)
for name in ("stdin", "stdout", "stderr"):
    if {{"stdin": 0, "stdout": 1, "stderr": 2}}[name] in {closed}:
        setattr(sys, name, None)
from pytracking_et.commands import main
code = main(["video", "absent.mp4"])
with open({str(target)!r}, "w") as stream:
    os.write(1, b"to stdout")
    os.write(2, b"to stderr")
    stream.write("content")
os._exit(code)
"""
    run = start(program)
    run.communicate(timeout=60)
    assert run.returncode == 2
    assert target.read_text() == "content"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "gbk"])
def test_a_terminal_that_lacks_a_character(encoding):
    program = COMMAND.format(arguments=["video", "Straße → 視頻.mp4"])
    run = start(program, env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    run.stdout.close()
    errors = run.stderr.buffer.read().decode(encoding)
    assert run.wait() == 2
    assert "does not exist" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("before", ["", "example.org", "localhost, .lan"])
def test_no_proxy_stands_before_this_machine(monkeypatch, name, before):
    for each in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv(name, before)
    process.without_proxy()
    if os.name != "nt":
        assert getproxies()["http"] == "http://127.0.0.1:9"
        for host in ("127.0.0.1", "localhost", *before.split(", ")):
            assert not host or proxy_bypass(host.lstrip("."))
        assert not proxy_bypass("elsewhere.net")
    assert before in os.environ["no_proxy"] and os.environ["no_proxy"] == os.environ["NO_PROXY"]


@posix
@pytest.mark.parametrize("home", [None, ""])
def test_without_home_the_system_knows_it(monkeypatch, home):
    import pwd

    monkeypatch.delenv("PYTRACKING_ET_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    known = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert files.home() == known
    assert known in files.cache_folder().parents
    process.prepare()
    assert os.environ["HOME"] == str(known)


@posix
def test_without_any_home_a_private_folder_serves(monkeypatch, tmp_path):
    import pwd

    def unknown(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = files.home()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files.home() == folder
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(files.PytrackingETError, match="set HOME"):
        files.home()
