"""Start, readiness, stop, exit watching, ownership and orphans, with real processes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.native.errors import NativeError
from deploy.native.hold import FolderHeldError, holder
from deploy.native.process import LineInLog, ManagedProcess, ProcessError, stop_all

IDLE = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); signal.pause()"
)
SOON = 20.0


class Stage:
    """Makes processes in one folder and leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[ManagedProcess] = []

    def python(self, code: str, name: str = "it", **how: object) -> ManagedProcess:
        process = ManagedProcess(
            name,
            [sys.executable, "-c", code],
            log=self.folder / f"{name}.log",
            pid_file=self.folder / f"{name}.pid",
            **how,  # type: ignore[arg-type]
        )
        self.made.append(process)
        return process

    def ready(self, name: str = "it") -> LineInLog:
        return LineInLog(self.folder / f"{name}.log", "ready")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for process in stage.made:
        process.stop(grace=0)


def test_it_runs_until_stopped_and_cleans_up(stage: Stage) -> None:
    process = stage.python(IDLE)
    process.start(stage.ready(), SOON)
    assert process.alive()
    owner = json.loads((stage.folder / "it.pid").read_bytes())
    assert owner["pid"] == process.pid
    assert owner["argv0"] == sys.executable
    assert owner["started"]

    assert process.stop() == -signal.SIGTERM
    assert not process.alive()
    assert process.pid is None
    assert not (stage.folder / "it.pid").exists()


def test_it_can_be_started_again(stage: Stage) -> None:
    process = stage.python(IDLE)
    for _ in range(2):
        process.start(stage.ready(), SOON)
        process.stop()
    assert (stage.folder / "it.log").read_text() == "ready\nready\n"


def test_readiness_does_not_look_at_lines_of_an_earlier_run(stage: Stage) -> None:
    (stage.folder / "it.log").write_text("ready\n")
    silent = stage.python("import signal; signal.pause()")
    with pytest.raises(ProcessError, match="not ready within"):
        silent.start(stage.ready(), timeout=0.3)
    assert not silent.alive()


def test_a_program_that_ends_while_starting_is_reported_with_its_log(stage: Stage) -> None:
    announced: list[int] = []
    process = stage.python("raise SystemExit(3)", name="worker 1", on_exit=announced.append)
    with pytest.raises(ProcessError, match=r"worker 1 ended.*exit code 3.*worker 1\.log"):
        process.start(stage.ready("worker 1"), SOON)
    assert announced == []  # the error says it
    assert not (stage.folder / "worker 1.pid").exists()


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ManagedProcess("x", ["/no/such/program"], log=log, pid_file=tmp_path / "pid")
    with pytest.raises(ProcessError, match="ended while starting"):
        process.start(LineInLog(log, "never"), SOON)
    assert log.read_text() == "/no/such/program: No such file or directory\n"


def test_an_interrupt_while_waiting_leaves_nothing_running(stage: Stage) -> None:
    process = stage.python(IDLE)

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.start(interrupted, SOON)
    assert not process.alive()


def test_a_program_deaf_to_sigterm_is_killed_with_its_children(stage: Stage) -> None:
    parent = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], "
        "stdout=subprocess.PIPE); child.stdout.readline(); print(child.pid, flush=True); "
        + STUBBORN
    )
    process = stage.python(parent)
    process.start(stage.ready(), SOON)
    child = int((stage.folder / "it.log").read_text().split()[0])
    watched = psutil.Process(child)
    assert process.stop(grace=0.1) == -signal.SIGKILL
    watched.wait(SOON)


def test_an_unexpected_end_is_announced_and_an_ordered_one_is_not(stage: Stage) -> None:
    ends: list[int] = []
    announced = threading.Event()

    def note(code: int) -> None:
        ends.append(code)
        announced.set()

    process = stage.python(IDLE, on_exit=note)
    process.start(stage.ready(), SOON)
    process.stop()
    process.start(stage.ready(), SOON)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert announced.wait(SOON)
    assert ends == [-signal.SIGKILL]
    assert process.wait(SOON) == -signal.SIGKILL


def test_stop_all_stops_the_last_started_first(stage: Stage) -> None:
    order = stage.folder / "order"
    code = (
        "import signal, sys\n"
        "def end(*_):\n"
        f"    open({str(order)!r}, 'a').write(NAME)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    processes = [stage.python(f"NAME = {name!r}\n{code}", name=name) for name in "abc"]
    for process in processes:
        process.start(stage.ready(process.name), SOON)
    stop_all(processes)
    assert order.read_text() == "cba"
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_a_second_owner_is_refused_by_the_pid_of_the_first(stage: Stage) -> None:
    first, second = stage.python(IDLE), stage.python(IDLE)
    first.start(stage.ready(), SOON)
    with pytest.raises(FolderHeldError, match=rf"in use by process {first.pid}:"):
        second.start(stage.ready(), SOON)
    assert first.alive()
    first.stop()
    second.start(stage.ready(), SOON)
    assert second.alive()


def test_a_refused_restart_leaves_the_process_stopped(stage: Stage) -> None:
    first, second = stage.python(IDLE), stage.python(IDLE)
    first.start(stage.ready(), SOON)
    first.stop()
    second.start(stage.ready(), SOON)
    with pytest.raises(FolderHeldError):
        first.start(stage.ready(), SOON)
    assert not first.alive()
    assert first.stop() == -signal.SIGTERM
    assert second.alive()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = ManagedProcess(
        "x", ["true"], log=tmp_path / "log", pid_file=tmp_path / "file" / "pid"
    )
    with pytest.raises(NativeError, match="file cannot be written"):
        process.start()


def test_a_pid_file_of_a_dead_owner_holds_nobody_up(stage: Stage) -> None:
    # Our own number: alive, but not the owner, as after a reuse of process numbers.
    (stage.folder / "it.pid").write_text(json.dumps({"pid": os.getpid()}))
    process = stage.python(IDLE)
    process.start(stage.ready(), SOON)
    assert holder(stage.folder / "it.pid") == process.pid


def test_a_folder_being_prepared_is_held_too(stage: Stage) -> None:
    first, second = stage.python(IDLE), stage.python(IDLE)
    with first.reserved():
        with pytest.raises(FolderHeldError, match="just starting"):
            second.start()
        first.start(stage.ready(), SOON)
    assert first.alive()


def test_a_failed_preparation_gives_the_folder_back(stage: Stage) -> None:
    process = stage.python(IDLE)
    with pytest.raises(ZeroDivisionError), process.reserved():
        raise ZeroDivisionError
    assert not (stage.folder / "it.pid").exists()


def test_ctrl_c_in_the_terminal_does_not_reach_it(stage: Stage) -> None:
    process = stage.python(IDLE)
    process.start(stage.ready(), SOON)
    assert process.pid is not None
    assert os.getpgid(process.pid) != os.getpgid(0)
    assert os.getsid(process.pid) != os.getsid(0)


def test_a_long_log_of_earlier_runs_moves_aside(stage: Stage) -> None:
    with (stage.folder / "it.log").open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    process = stage.python("print('ready')")
    process.start()
    assert process.wait(SOON) == 0
    assert (stage.folder / "it.log").read_text() == "ready\n"
    assert (stage.folder / "it.log.1").stat().st_size == 11 * 1024 * 1024


SUPERVISOR = """
import signal, sys, threading
from pathlib import Path
from deploy.native.process import LineInLog, ManagedProcess

folder = Path(sys.argv[1])
process = ManagedProcess("child", [sys.executable, "-c", sys.argv[2]],
                         log=folder / "log", pid_file=folder / "pid")
starter = threading.Thread(target=process.start, args=(LineInLog(folder / "log", "ready"), 20))
starter.start()
starter.join()
while Path(f"/proc/self/task/{starter.native_id}").exists():
    pass  # Python's thread is joined a little before the system's ends
print(process.wait(0.5), flush=True)
print(process.pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no parent-death signal")
def test_no_orphan_after_the_supervisor_is_killed(tmp_path: Path) -> None:
    """Started from a thread that is gone: the child lives on with the process, and only so."""
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), STUBBORN],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "None\n", "it ended with the thread"
        watched = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
        watched.wait(SOON)
    again = ManagedProcess(
        "again", [sys.executable, "-c", IDLE], log=tmp_path / "log2", pid_file=tmp_path / "pid"
    )
    again.start(LineInLog(tmp_path / "log2", "ready"), SOON)
    again.stop()
