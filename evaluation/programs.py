"""Turns a completed document into a program with its tests, and judges how it ran. Runs nothing itself.

A test program passes only when it prints, after its last test, a token that came to it on standard input: leaving
early with exit code 0 is no pass.
"""

from __future__ import annotations

import functools
import glob
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fimble.evaluation.records import IoTest, Record
from fimble.evaluation.sandbox import Limits, Step, StepResult

_MIB = 1024 * 1024
_PYTHON_LIMITS = Limits(address_bytes=1024 * _MIB)
# V8 and the JVM spread reserved memory and threads; the heap itself is bounded by the flags below.
_NODE_LIMITS = Limits(memory_bytes=1024 * _MIB)
_JVM_LIMITS = Limits(memory_bytes=2048 * _MIB, processes=96, wall_s=30.0, cpu_s=30)
_CPP_LIMITS = Limits(memory_bytes=1024 * _MIB, address_bytes=2048 * _MIB, wall_s=30.0, cpu_s=30)
_JVM_FLAGS = ("-Xmx256m", "-Xss64m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and when it counts as passed."""

    files: Mapping[str, str]
    steps: tuple[Step, ...]
    limits: Limits
    visible: tuple[str, ...]
    is_passed: Callable[[Sequence[StepResult]], bool]


@dataclass(frozen=True, slots=True)
class _Runtime:
    """How one language is run: the source's file name, commands that build it, the command that runs it."""

    file_name: str
    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]
    limits: Limits
    visible: tuple[str, ...] = ()


def missing_runtime(record: Record) -> str | None:
    """Why this record's tests cannot be run here, or None; also None where it has no tests."""
    if record.tests is None or _runtime(record.language, "") is not None:
        return None
    return f"nothing found here that runs {record.language}"


def program_for(record: Record, document: str) -> Program | None:
    """The program that tests `document`; None where the record has no tests or its language no runtime here."""
    if record.tests is None or _runtime(record.language, "") is None:
        return None
    if isinstance(record.tests, str):
        assemble = _ASSEMBLE.get(record.language)
        return assemble and _self_testing(record.language, assemble(document, record.tests, record.entry_point))
    return _reading_and_writing(record.language, document, record.tests)


def _self_testing(language: str, source: str) -> Program | None:
    runtime = _runtime(language, source)
    if runtime is None:
        return None
    token = secrets.token_hex(16)
    steps = [Step(argv, must_succeed=True) for argv in runtime.build]
    steps.append(Step(runtime.run, stdin=f"{token}\n"))

    def is_passed(results: Sequence[StepResult]) -> bool:
        last = results[-1]
        return len(results) == len(steps) and last.exit_code == 0 and last.stdout.rstrip().endswith(token)

    return Program({runtime.file_name: source}, tuple(steps), runtime.limits, runtime.visible, is_passed)


def _reading_and_writing(language: str, source: str, tests: Sequence[IoTest]) -> Program | None:
    runtime = _runtime(language, source)
    if runtime is None:
        return None
    build = [Step(argv, must_succeed=True) for argv in runtime.build]
    steps = [*build, *(Step(runtime.run, stdin=test.stdin.replace("\r\n", "\n"), must_succeed=True) for test in tests)]

    def is_passed(results: Sequence[StepResult]) -> bool:
        runs = results[len(build) :]
        return len(runs) == len(tests) and all(
            result.exit_code == 0 and any(same_output(result.stdout, stdout) for stdout in test.stdouts)
            for result, test in zip(runs, tests, strict=True)
        )

    return Program({runtime.file_name: source}, tuple(steps), runtime.limits, runtime.visible, is_passed)


def same_output(given: str, true: str) -> bool:
    """Whether an online judge would take `given` for `true`: SAFIM's judge, ExecEval, decides like this.

    Equal line by line but for white space around lines; else equal word by word, where numbers may differ by 1e-12 and
    yes, no, true, false may be written in any case.
    """
    given, true = given.replace("\r\n", "\n").strip(), true.replace("\r\n", "\n").strip()
    if [line.strip() for line in given.split("\n")] == [line.strip() for line in true.split("\n")]:
        return True
    given_words, true_words = given.split(), true.split()
    return len(given_words) == len(true_words) and all(map(_same_word, given_words, true_words))


def _same_word(given: str, true: str) -> bool:
    if given == true or (given.lower() == true.lower() and true.lower() in _ANY_CASE):
        return True
    try:
        return abs(Decimal(given) - Decimal(true)) <= _NUMBER_TOLERANCE
    except ArithmeticError:  # no number, or one too large to reckon with
        return False


_ANY_CASE = ("yes", "no", "true", "false")
_NUMBER_TOLERANCE = Decimal("1e-12")


def _python(document: str, tests: str, entry_point: str | None) -> str:
    call = "" if f"check({entry_point})" in tests else f"check({entry_point})\n"
    return f"{document}\n{tests}\n{call}print(input())\n"


def _javascript(document: str, tests: str, entry_point: str | None) -> str:
    del entry_point
    return f"{document}\n{tests}\nconsole.log(require('fs').readFileSync(0, 'utf8').trim());\n"


def _java(document: str, tests: str, entry_point: str | None) -> str:
    """MultiPL-E's Java tests begin by closing the method under test, and end `main` and the class."""
    del entry_point
    open_method = _TWO_BRACES.sub("", _JAVATUPLES.sub("", document))
    echo = "    System.out.println(new java.util.Scanner(System.in).nextLine());\n    }\n}\n"
    return f"{open_method}\n{_TWO_BRACES.sub('', tests)}{echo}"


_TWO_BRACES = re.compile(r"\}\s*\}\s*\Z")
# MultiPL-E imports this library in every program; no problem of these sets uses it, and it is no part of a JDK.
_JAVATUPLES = re.compile(r"^import org\.javatuples\.\*;$", re.MULTILINE)
_ASSEMBLE: dict[str, Callable[[str, str, str | None], str]] = {
    "python": _python,
    "javascript": _javascript,
    "java": _java,
}


def _runtime(language: str, source: str) -> _Runtime | None:
    """How `source` is run on this machine; None where nothing here runs the language."""
    if language == "python":
        # The base interpreter, outside any venv: programs under test get the standard library only.
        interpreter = os.path.realpath(sys.executable)
        return _Runtime("main.py", (), (interpreter, "-I", "main.py"), _PYTHON_LIMITS, (sys.base_prefix,))
    if language == "javascript" and (node := _program("node")):
        run = (node, "--max-old-space-size=256", "main.js")
        return _Runtime("main.js", (), run, _NODE_LIMITS, _folders_of(node))
    if language == "java" and (javac := _program("javac")) and (java := _program("java")):
        class_name = _main_class(source)
        build = (javac, *(f"-J{flag}" for flag in _JVM_FLAGS), "-encoding", "UTF-8", "-nowarn", f"{class_name}.java")
        run = (java, *_JVM_FLAGS, "-ea", class_name)
        return _Runtime(f"{class_name}.java", (build,), run, _JVM_LIMITS, _folders_of(java))
    if language == "cpp" and (compiler := _program("g++")):
        build = (compiler, "-std=c++17", "-O1", "-w", "-o", "main", "main.cpp")
        return _Runtime("main.cpp", (build,), ("/sandbox/main",), _CPP_LIMITS, _folders_of(compiler))
    return None


def _main_class(source: str) -> str:
    """The class that holds `main`: the last one declared before it."""
    classes: list[str] = re.findall(r"\bclass\s+(\w+)", source.partition("static void main")[0])
    public: list[str] = re.findall(r"\bpublic\s+(?:final\s+)?class\s+(\w+)", source)
    return (public or classes[-1:] or ["Main"])[0]


@functools.cache
def _program(name: str) -> str | None:
    found = shutil.which(name)
    return os.path.realpath(found) if found else None


def _folders_of(program: str) -> tuple[str, ...]:
    """Where a runtime lives, when that is not under /usr, and the settings that Debian keeps for a JVM in /etc."""
    home = os.path.dirname(os.path.dirname(program))
    settings = sorted(glob.glob("/etc/java-*"))
    return (*settings, *(() if home == "/usr" or home.startswith("/usr/") else (home,)))
