"""Test programs: the truth passes, a wrong token does not, and there is no short cut to passing."""

from __future__ import annotations

import pytest
from tests.evaluation.conftest import record

from fimble.evaluation import sandbox
from fimble.evaluation.programs import missing_runtime, program_for, same_output
from fimble.evaluation.records import IoTest, Record

PYTHON = record()
JAVASCRIPT = record(
    language="javascript",
    prefix="function add(a, b) {\n  ",
    suffix="\n}",
    tests="const assert = require('node:assert');\nassert.equal(add(1, 2), 3);\n",
)
JAVA = record(
    language="java",
    prefix="import org.javatuples.*;\nclass Problem {\n    public static int add(int a, int b) {\n        ",
    suffix="\n    }\n}",
    middle="return a + b;",
    tests="    }\n    public static void main(String[] args) {\n    assert(add(1, 2) == (3));\n    }\n\n}\n",
)
READS = record(
    prefix="a, b = map(int, input().split())\n",
    middle="print('Yes' if a < b else 'No')",
    tests=(IoTest("1 2\r\n", ("YES",)), IoTest("2 1\n", ("NO", "never"))),
    entry_point=None,
)
READS_JAVA = record(
    language="java",
    prefix="import java.util.*;\nclass Helper {}\npublic class Solution {\n  public static void main(String[] x) {\n",
    suffix="\n  }\n}\n",
    middle="    System.out.println(new Scanner(System.in).nextInt() + 1);",
    tests=(IoTest("41", ("42",)),),
)
READS_CPP = record(
    language="cpp",
    prefix="#include <iostream>\nint main() { int n; std::cin >> n; ",
    suffix=" }\n",
    middle="std::cout << n + 1;",
    tests=(IoTest("41", ("42",)),),
)
ALL = [PYTHON, JAVASCRIPT, JAVA, READS, READS_JAVA, READS_CPP]
NAMES = ["python", "javascript", "java", "reads-python", "reads-java", "reads-cpp"]


def passes(tested: Record, middle: str) -> bool:
    program = program_for(tested, tested.prefix + middle + tested.suffix)
    if program is None:
        pytest.skip(str(missing_runtime(tested)))
    results = sandbox.run(program.files, program.steps, program.limits, visible=program.visible)
    return program.is_passed(results)


@pytest.mark.usefixtures("confined")
@pytest.mark.parametrize("tested", ALL, ids=NAMES)
def test_the_truth_passes_and_a_wrong_token_does_not(tested: Record) -> None:
    assert passes(tested, tested.middle)
    wrong = tested.middle.replace("+", "-").replace("<", ">") if tested is READS else tested.middle.replace("+", "-")
    assert wrong != tested.middle
    assert not passes(tested, wrong)
    assert not passes(tested, "this is no program (")


@pytest.mark.usefixtures("confined")
@pytest.mark.parametrize(
    ("tested", "middle"),
    [
        (PYTHON, "raise SystemExit(0)"),
        (PYTHON, "import os; os._exit(0)"),
        (PYTHON, "print('passed'); import sys; sys.exit()"),
        (PYTHON, "import os; os.dup2(2, 1); os.kill(os.getpid(), 15)"),
        (PYTHON, "while True: pass"),
        (JAVASCRIPT, "process.exit(0)"),
        (JAVASCRIPT, "return 3; } process.exit(0); function rest() {"),
        (JAVA, "System.exit(0); return 0;"),
    ],
)
def test_leaving_early_is_no_pass(tested: Record, middle: str) -> None:
    assert not passes(tested, middle)


def test_each_run_has_a_token_of_its_own() -> None:
    first, second = (program_for(PYTHON, "x = 1\n") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.steps[-1].stdin != second.steps[-1].stdin
    assert first.steps[-1].stdin.strip() not in first.files["main.py"]


def test_a_language_nothing_runs_is_said() -> None:
    sharp = record(language="csharp")
    assert program_for(sharp, "x") is None
    assert missing_runtime(sharp) == "nothing found here that runs csharp"
    assert missing_runtime(record(language="csharp", tests=None)) is None
    assert missing_runtime(PYTHON) is None


@pytest.mark.parametrize(
    ("given", "true", "same"),
    [
        ("1 2\n3\n", "1 2\n3", True),
        ("1 2  \n 3\n\n", "1 2\n3", True),
        ("1\n2\n", "1 2", True),
        ("yes\nNO", "YES\nno", True),
        ("Alice", "alice", False),
        ("0.30000000000000004", "0.3", True),
        ("0.3001", "0.3", False),
        ("1 2", "1 2 3", False),
        ("", "0", False),
        ("a\r\nb\r\n", "a\nb", True),
        ("1e1000000", "5", False),  # beyond what a Decimal can be reckoned with
        ("1e-9999999", "-1e999999", False),
    ],
)
def test_outputs_are_compared_as_an_online_judge_does(given: str, true: str, same: bool) -> None:
    assert same_output(given, true) is same
