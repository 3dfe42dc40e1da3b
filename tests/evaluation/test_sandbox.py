"""Hostile programs: what runs under test can write nowhere else, reach nobody, and outlive nothing."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from fimble.evaluation import sandbox
from fimble.evaluation.sandbox import Limits, SandboxUnavailableError, Step, StepResult

pytestmark = pytest.mark.usefixtures("confined")

PYTHON = os.path.realpath(sys.executable)
SHORT = Limits(wall_s=2.0, cpu_s=2)


def run_python(source: str, limits: Limits = SHORT, stdin: str = "") -> StepResult:
    step = Step((PYTHON, "-I", "main.py"), stdin=stdin)
    (result,) = sandbox.run({"main.py": source}, [step], limits, visible=[sys.base_prefix])
    return result


def test_an_honest_program_runs_in_its_folder() -> None:
    result = run_python(
        "import os\nopen('made', 'w').write('x')\nprint(input(), os.getcwd(), os.listdir())", stdin="hi\n"
    )
    assert (result.exit_code, result.limit) == (0, None)
    assert result.stdout.split()[:2] == ["hi", "/sandbox"]
    assert "'made'" in result.stdout


@pytest.mark.parametrize(
    "place", ["{home}", "{repo}", "/", "/usr", "/etc", "/var/tmp", "/dev", "/proc/sys/kernel", "/sandbox/.."]
)
def test_it_cannot_write_outside_its_folder(repo_root: Path, place: str) -> None:
    name = f"fimble-hostile-{uuid.uuid4().hex}"
    target = Path(place.format(home=Path.home(), repo=repo_root)) / name
    source = f"""
import os
try:
    os.makedirs({str(target.parent)!r}, exist_ok=True)
    open({str(target)!r}, 'w').write('x')
    print('written')
except OSError as error:
    print('refused', error)
"""
    printed = run_python(source).stdout
    assert not target.exists()
    # A checkout below /tmp is out of its sight: what it writes there lands in a /tmp of its own.
    assert printed.startswith("refused") or target.is_relative_to("/tmp")


def test_what_it_writes_to_tmp_stays_inside(tmp_path: Path) -> None:
    """Its /tmp is its own folder, also where the path exists here."""
    target = tmp_path / "hostile"
    source = f"import os; os.makedirs({str(tmp_path)!r}, exist_ok=True); open({str(target)!r}, 'w').write('x')"
    assert run_python(source).exit_code == 0
    assert not target.exists()


def test_it_sees_no_file_of_the_user(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    source = f"""
import os
home = {str(Path.home())!r}
print(os.path.exists({str(secret)!r}), os.path.exists('/etc/passwd'), os.listdir(home) if os.path.exists(home) else [])
"""
    looked = run_python(source)
    assert looked.stdout.startswith("False False")
    assert ".ssh" not in looked.stdout


def test_it_gets_none_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_TEST_SECRET", "s3cret")
    assert "s3cret" not in run_python("import os; print(dict(os.environ))").stdout


def test_it_cannot_open_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.2)
        source = f"""
import socket
for address in (('127.0.0.1', {port}), ('1.1.1.1', 53), ('::1', {port})):
    try:
        socket.create_connection(address, 1)
        print('connected')
    except OSError as error:
        print('refused')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    s.sendto(b'x', ('8.8.8.8', 53)); print('sent')
except OSError:
    print('refused')
"""
        assert run_python(source, Limits(wall_s=6.0)).stdout.split() == ["refused"] * 4
        with pytest.raises(TimeoutError):
            server.accept()


def test_it_cannot_reach_a_socket_of_this_machine(tmp_path: Path) -> None:
    """A path that is not there, and an abstract name that belongs to another network namespace."""
    name = f"\0fimble-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        source = f"""
import socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect({name!r}); print('connected')
except OSError:
    print('refused')
"""
        assert run_python(source).stdout == "refused\n"


def test_it_does_not_outlive_its_time_limit() -> None:
    began = time.monotonic()
    result = run_python("while True: pass", Limits(wall_s=0.5, cpu_s=30))
    assert (result.limit, result.exit_code) == ("time", -9)
    assert time.monotonic() - began < 15


def test_the_processor_limit_counts_too() -> None:
    assert run_python("while True: pass", Limits(wall_s=20, cpu_s=1)).limit == "time"


def test_children_that_left_its_session_die_with_it() -> None:
    mark = f"fimble-orphan-{uuid.uuid4().hex}"
    source = f"""
import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv({PYTHON!r}, ['python', '-c', 'import time; time.sleep(600)', {mark!r}])
        os._exit(0)
time.sleep(0.3)
print('parent done')
"""
    assert run_python(source).stdout == "parent done\n"
    assert not any(mark in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


def test_it_cannot_signal_anyone_outside() -> None:
    pid = os.getpid()
    source = f"""
import os, signal
for pid in ({pid}, 1):
    try:
        os.kill(pid, signal.SIGKILL); print('killed', pid)
    except OSError as error:
        print('refused')
"""
    # Its own pid 1 refuses; our number is nobody there. That we are here to look is the other half of the test.
    assert run_python(source).stdout.split() == ["refused", "refused"]


@pytest.mark.parametrize(
    ("source", "limits"),
    [
        ("x = []\nwhile True: x.append(bytearray(10**7))", {"MemoryError"}),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"processes", "memory", "time"}),
        ("import sys\nwhile True: sys.stdout.write('y' * 65536)", {"output"}),
        (
            "import os\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(2 * 10**8)\n"
            "        x[::4096] = b'1' * len(x[::4096])\n        import time; time.sleep(9)\n"
            "for _ in range(8): os.wait()",
            {"memory"},
        ),
        ("import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1", {"memory"}),
    ],
)
def test_it_cannot_take_the_machine_down(source: str, limits: set[str]) -> None:
    result = run_python(source, Limits(wall_s=5.0, cpu_s=5))
    assert result.exit_code != 0
    assert (result.limit in limits) or any(name in result.stderr for name in limits)
    assert len(result.stdout) < 2 * Limits().output_bytes


def test_what_is_shared_is_bounded_before_it_is_touched() -> None:
    """Python and C++ alone: node and the JVM reserve far more than they use."""
    limits = Limits(address_bytes=512 << 20)
    assert run_python("import mmap\nmmap.mmap(-1, 1 << 20)\nprint('small')", limits).stdout == "small\n"
    assert "Cannot allocate memory" in run_python("import mmap\nmmap.mmap(-1, 8 << 30)", limits).stderr


def test_files_are_bounded_one_by_one_and_together() -> None:
    source = """
import os
try:
    with open('big', 'wb') as big:
        for _ in range(64): big.write(bytes(1 << 20))
except OSError as error:
    print(type(error).__name__, os.path.getsize('big') >> 20)
n = 0
try:
    while True:
        with open(f'f{n}', 'wb') as one: one.write(bytes(8 << 20))
        n += 1
except OSError:
    print('full', n < 8)
"""
    assert run_python(source, Limits(wall_s=10)).stdout.split() == ["OSError", "16", "full", "True"]


def test_it_has_no_capability_and_gets_none() -> None:
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapPrm', 'CapEff', 'CapBnd'))])
print(libc.unshare(0x10000000), libc.unshare(0x00020000), libc.chroot(b'/sandbox'))
print(libc.mount(b'x', b'/sandbox', b'tmpfs', 0, None))
print(os.path.exists('/proc/1/root'))
"""
    lines = run_python(source).stdout.splitlines()
    assert lines == [str(["0" * 16] * 3), "-1 -1 -1", "-1", "False"]


def test_steps_share_the_folder_and_stop_at_a_failed_one() -> None:
    shell = "/bin/sh"
    steps = [
        Step((shell, "-c", "echo built > out")),
        Step((shell, "-c", "cat out; exit 3"), must_succeed=True),
        Step((shell, "-c", "echo never")),
    ]
    results = sandbox.run({}, steps, SHORT)
    assert [result.exit_code for result in results] == [0, 3]
    assert results[1].stdout == "built\n"


def test_a_program_that_is_not_there_is_a_result() -> None:
    (result,) = sandbox.run({}, [Step(("/no/such/program",))], SHORT)
    assert result.exit_code == 127
    assert "could not start /no/such/program" in result.stderr


def test_nothing_runs_where_nothing_can_be_confined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox.platform, "system", lambda: "Darwin")
    with pytest.raises(SandboxUnavailableError, match="Linux only"):
        run_python("print('ran')")


def test_a_confinement_that_cannot_be_built_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher is there and the namespaces are not: nothing must have run."""
    broken = sandbox._CONFINE.read_text("utf-8").replace("_CLONE_FLAGS = 0x10000000", "_CLONE_FLAGS = 0xFFFFFFFF")
    assert broken != sandbox._CONFINE.read_text("utf-8")
    path = Path("/tmp") / f"confine-{uuid.uuid4().hex}.py"
    try:
        path.write_text(broken, "utf-8")
        monkeypatch.setattr(sandbox, "_CONFINE", path)
        with pytest.raises(SandboxUnavailableError, match="enter new namespaces") as caught:
            run_python("print('ran')")
        assert "namespaces" in caught.value.mend
    finally:
        path.unlink(missing_ok=True)
