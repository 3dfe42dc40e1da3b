"""Runs untrusted programs where they can reach nothing: executed as a file by evaluation.sandbox, never imported.

Standard library only, because it runs as `python -I -S confine.py SPEC_FD RESULT_FD`. Three processes:

    launcher   stays outside, writes the user-namespace maps
    builder    enters new user, mount, network, pid, ipc, uts namespaces; forks
    init       process 1 inside: builds a root of its own, runs each step without capabilities, kills what is left

Inside there is a read-only view of the language runtimes, a `/sandbox` in memory that is the only writable place, no
network device but an unconnected loopback, and no other process. When init ends, the kernel kills everything in its
pid namespace, so nothing outlives a step. The technique is bubblewrap's: pivot_root(2), mount_setattr(2),
user_namespaces(7), capabilities(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import select
import signal
import sys
import time
from typing import Any

# What sandbox.py sends: root, visible, files, steps (argv, stdin, env, must_succeed), limits (sandbox.Limits).
_Json = dict[str, Any]

_CLONE_FLAGS = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000 | 0x08000000 | 0x04000000  # user mount net pid ipc uts
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x2, 0x4, 0x8
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 0x2
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_AT_RECURSIVE, _AT_FDCWD = 0x8000, -100
_SYS_MOUNT_SETATTR = 442  # the same on every architecture
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPSET_VERSION_3 = 0x20080522
_NOBODY = 65534
_POLL_S = 0.02

_libc = ctypes.CDLL(None, use_errno=True)


class SetupError(Exception):
    """The confinement could not be built; nothing untrusted has run."""


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise SetupError(f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    result = _libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode())
    _check(result, f"mount {kind or source} on {target}")


def _seal(target: str, attributes: int, *, recursive: bool) -> None:
    """Add mount attributes; inherited ones stay."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    _check(result, f"make {target} read-only")


def main() -> int:
    """Launcher: read the job, confine it, pass the exit status on."""
    spec_fd, result_fd = int(sys.argv[1]), int(sys.argv[2])
    with os.fdopen(spec_fd, "rb") as spec_file:
        job = json.load(spec_file)
    os.set_inheritable(result_fd, False)
    is_root = os.geteuid() == 0
    ready_r, ready_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    builder = os.fork()
    if builder == 0:
        os.close(ready_r)
        os.close(mapped_w)
        os._exit(_builder(job, result_fd, ready_w, mapped_r, is_root=is_root))
    os.close(ready_w)
    os.close(mapped_r)
    if os.read(ready_r, 1):
        try:
            _write_maps(builder, is_root=is_root)
            os.write(mapped_w, b"1")
        except OSError as error:
            _report(result_fd, {"setup_error": f"map users: {error.strerror}"})
    os.close(mapped_w)
    _, status = os.waitpid(builder, 0)
    return os.waitstatus_to_exitcode(status)


def _write_maps(pid: int, *, is_root: bool) -> None:
    """Root inside is this user outside; when this user is root, steps run as nobody, so that nothing is root's."""
    extra = f"\n{_NOBODY} {_NOBODY} 1" if is_root else ""
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {os.geteuid()} 1{extra}"),
        ("gid_map", f"0 {os.getegid()} 1{extra}"),
    ):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(content)


def _builder(job: _Json, result_fd: int, ready_w: int, mapped_r: int, *, is_root: bool) -> int:
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if is_root:
            os.setgroups([])
        _check(_libc.unshare(_CLONE_FLAGS), "enter new namespaces")
        os.write(ready_w, b"1")
        if not os.read(mapped_r, 1):
            return 1
        init = os.fork()
        if init == 0:
            os._exit(_init(job, result_fd, is_root=is_root))
        _, status = os.waitpid(init, 0)
        return os.waitstatus_to_exitcode(status)
    except (SetupError, OSError) as error:
        _report(result_fd, {"setup_error": str(error)})
        return 1


def _init(job: _Json, result_fd: int, *, is_root: bool) -> int:
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Keeps the steps away from this process's memory and open files, also where both have the same user.
        _libc.prctl(_PR_SET_DUMPABLE, 0)
        _build_root(job)
        _place_files(job["files"], owner=_NOBODY if is_root else None)
    except (SetupError, OSError) as error:
        _report(result_fd, {"setup_error": str(error)})
        return 1
    results = []
    for step in job["steps"]:
        result = _run_step(step, job["limits"], is_root=is_root)
        results.append(result)
        if step["must_succeed"] and result["exit_code"] != 0:
            break
    _report(result_fd, {"results": results})
    return 0


def _build_root(job: _Json) -> None:
    root = job["root"]
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID, "mode=755,size=1m")
    for path in job["visible"]:
        _show(path, root)
    os.mkdir(f"{root}/dev")
    for device in ("null", "zero", "full", "random", "urandom"):
        target = f"{root}/dev/{device}"
        with open(target, "w", encoding="ascii"):
            pass
        _mount(f"/dev/{device}", target, None, _MS_BIND)
    os.mkdir(f"{root}/proc")
    _mount("proc", f"{root}/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "hidepid=2")
    # A nested user namespace would hand capabilities out again; they would be over nothing, but none is better.
    with open(f"{root}/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
        file.write("0")
    _seal(f"{root}/proc", _ATTR_RDONLY, recursive=False)
    os.mkdir(f"{root}/sandbox")
    size = job["limits"]["folder_bytes"]
    _mount("tmpfs", f"{root}/sandbox", "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=777,size={size},nr_inodes=4096")
    os.symlink("sandbox", f"{root}/tmp")
    os.symlink("../sandbox", f"{root}/dev/shm")
    _seal(root, _ATTR_RDONLY, recursive=False)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "let go of the old root")
    os.chdir("/sandbox")


def _show(path: str, root: str) -> None:
    """Make one file, folder or link of the machine visible, read-only, at the same place."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        with open(target, "w", encoding="ascii"):
            pass
    _mount(path, target, None, _MS_BIND | _MS_REC)
    _seal(target, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, recursive=True)


def _place_files(files: dict[str, str], *, owner: int | None) -> None:
    for name, text in files.items():
        path = os.path.join("/sandbox", name)
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        # newline="" keeps the program's own line ends.
        with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            file.write(text)
        if owner is not None:
            os.chown(path, owner, owner)
            if folder != "/sandbox":
                os.chown(folder, owner, owner)


def _run_step(step: _Json, limits: _Json, *, is_root: bool) -> _Json:
    in_r, in_w = os.pipe()
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for source, target in ((in_r, 0), (out_w, 1), (err_w, 2)):
                os.dup2(source, target)
            os.closerange(3, 256)
            _drop_everything(limits, is_root=is_root)
            os.execve(step["argv"][0], step["argv"], step["env"])
        except BaseException as error:
            os.write(2, f"could not start {step['argv'][0]}: {error}".encode())
        finally:
            os._exit(127)
    for end in (in_r, out_w, err_w):
        os.close(end)
    return _attend(child, step, limits, in_w, {out_r: bytearray(), err_r: bytearray()})


def _attend(child: int, step: _Json, limits: _Json, in_w: int, outputs: dict[int, bytearray]) -> _Json:
    """Feed, read, watch the limits; kill all when the child ends or breaks one."""
    started = time.monotonic()
    deadline = started + limits["wall_s"]
    pending = step["stdin"].encode("utf-8", "surrogatepass")
    for end in (in_w, *outputs):
        os.set_blocking(end, False)
    open_outputs = set(outputs)
    reason, status = None, None
    writers = {in_w} if pending else set()
    if not pending:
        os.close(in_w)
    while status is None or open_outputs:
        readable, writable, _ = select.select(open_outputs, writers, [], _POLL_S)
        for end in readable:
            piece = os.read(end, 65536)
            if not piece:
                open_outputs.discard(end)
            elif len(outputs[end]) < limits["output_bytes"]:
                outputs[end] += piece
            else:
                reason = reason or "output"
        for end in writable:
            try:
                pending = pending[os.write(end, pending[:65536]) :]
            except BrokenPipeError:
                pending = b""
            if not pending:
                writers.clear()
                os.close(end)
        if status is None:
            pid, ended = os.waitpid(child, os.WNOHANG)
            status = ended if pid else None
            reason = reason or (None if pid else _limit_broken(deadline, limits))
        if status is not None or reason:
            # -1 is every process in this pid namespace but init itself: background children end here too.
            _kill_all()
            if status is None:
                _, status = os.waitpid(child, 0)
    if writers:
        os.close(in_w)
    _reap()
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code == -signal.SIGXCPU:
        reason = reason or "time"
    stdout, stderr = (bytes(text).decode("utf-8", "replace") for text in outputs.values())
    for end in outputs:
        os.close(end)
    return {
        "exit_code": exit_code,
        "stdout": stdout,
        "stderr": stderr[-4000:],
        "limit": reason,
        "wall_ms": (time.monotonic() - started) * 1000,
    }


def _limit_broken(deadline: float, limits: _Json) -> str | None:
    if time.monotonic() > deadline:
        return "time"
    n_processes, n_kib = 0, 0
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            try:
                n_kib += _touched_kib(name)
                n_processes += 1
            except OSError:
                continue  # it ended meanwhile
    if n_processes > limits["processes"]:
        return "processes"
    return "memory" if n_kib * 1024 > limits["memory_bytes"] else None


def _touched_kib(pid: str) -> int:
    """Memory that a process has touched: its own, and what it shares, for that is no file's either (MAP_SHARED)."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon:", "RssShmem:")))


def _kill_all() -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _drop_everything(limits: _Json, *, is_root: bool) -> None:
    os.setsid()
    for name, value in (
        ("RLIMIT_DATA", limits["memory_bytes"]),
        ("RLIMIT_AS", limits["address_bytes"]),
        ("RLIMIT_FSIZE", limits["file_bytes"]),
        ("RLIMIT_NPROC", limits["processes"]),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_CORE", 0),
    ):
        if value is not None:
            resource.setrlimit(getattr(resource, name), (value, value))
    # The soft limit's signal, SIGXCPU, says why; a program that catches it meets the hard limit a second later.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 1))
    os.nice(5)
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if is_root:
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPSET_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "drop capabilities")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forbid new privileges")


def _report(result_fd: int, value: _Json) -> None:
    raw = json.dumps(value).encode()
    while raw:
        raw = raw[os.write(result_fd, raw) :]


if __name__ == "__main__":
    if platform.system() != "Linux":
        sys.exit("confinement needs Linux")
    sys.exit(main())
