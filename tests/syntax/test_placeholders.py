"""Which comments say no more than that code comes here."""

from __future__ import annotations

import pytest

from fimble.syntax.placeholders import begins_with_placeholder


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "    # Your code here\n    pass"),
        ("python", "# TODO"),
        ("python", "# TODO: Implement this function"),
        ("python", "# ...\n"),
        ("python", "\n    # Write your code here."),
        ("java", "// TODO Auto-generated method stub\nreturn null;"),
        ("java", "/* Implementation goes here */"),
        ("javascript", "// add your code here"),
        ("html", "<!-- Your code here -->"),
        ("go", "// Implement me"),
    ],
)
def test_placeholders(language: str, text: str) -> None:
    assert begins_with_placeholder(language, text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "# TODO: handle missing keys"),
        ("python", "# Add the numbers"),
        ("python", "# Code"),
        ("python", "#"),
        ("python", "# -----"),
        ("python", "return x  # TODO"),
        ("python", "x = 1\n# TODO"),
        ("python", '"# your code here"'),
        ("java", "/* Returns the body of the method. */"),
        ("javascript", "/**\n * Implements it.\n */"),
        ("markdown", "# Your code here"),
        ("yaml", "// TODO"),
        ("python", ""),
    ],
)
def test_other_lines(language: str, text: str) -> None:
    assert not begins_with_placeholder(language, text)
