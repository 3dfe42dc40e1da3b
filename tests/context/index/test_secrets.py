"""Secrets are found, code is not mistaken for them. Every secret here is made up, and put together from parts so that
no scanner of this repository takes it for a real one."""

from __future__ import annotations

import base64
import hashlib
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.context.index.secrets import has_secret, is_secret_file, lines_without_secrets, without_secrets

_RANDOM = random.Random(7)


def _chars(n: int, alphabet: str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789") -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(n))


PLANTED = [
    "aws_id = '" + "AKIA" + _chars(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") + "'",
    "AWS_SECRET_ACCESS_KEY = '" + _chars(40) + "'",
    "const t = `" + "ghp_" + _chars(36) + "`;",
    "x = '" + "github_pat_" + _chars(30) + "'",
    "token: '" + "glpat-" + _chars(20) + "'",
    "slack('" + "xoxb-" + "1234567890-" + _chars(12) + "')",
    "key=" + "AIza" + _chars(35),
    "stripe.api_key = '" + "sk_" + "live_" + _chars(24) + "'",
    "OpenAI(api_key='" + "sk-" + "proj-" + _chars(40) + "')",
    "'" + "hf_" + _chars(34) + "'",
    "//registry/:_authToken=" + "npm_" + _chars(36),
    "-----BEGIN " + "RSA PRIVATE KEY-----",
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "-----BEGIN " + "PRIVATE KEY-----",
    "jwt = '" + ".".join(("eyJ" + _chars(20), "eyJ" + _chars(30), _chars(40))) + "'",
    "password = 'hx7Q!pw9zK'",
    '"db_password": "9fj3kdk20xz"',
    "PASSWORD=9fj3kdk20xzq7",
    "export API_TOKEN=9fj3kdk20xzq7w",
    "postgres://app:s3cr3tPw9@db.internal/app",
    'String secretKey = "' + _chars(24) + '";',
    'options.put("clientSecret", "' + _chars(24) + '")',
    "KEY = '" + base64.b64encode(bytes(_RANDOM.randrange(256) for _ in range(48))).decode() + "'",
]

HARMLESS = [
    "def get_token(self, password: str) -> Token: ...",
    "password = 'password'",
    "password = os.environ['DB_PASSWORD']",
    "token = 'your-token-here'",
    "api_key = '<api-key>'",
    'const SECRET_NAME = "database-password"',
    "TOKEN_URL = 'https://example.com/oauth/token'",
    "SESSION_TOKEN = '_password_reset_token'",
    "tokenizer = Tokenizer.from_file('tokenizer.json')",
    "sha256 = '" + hashlib.sha256(b"x").hexdigest() + "'",
    "commit = '" + hashlib.sha1(b"x").hexdigest() + "'",
    "uuid = '123e4567-e89b-12d3-a456-426614174000'",
    "ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'",
    "class ThisIsAVeryLongClassNameWithManyWordsInItForNoGoodReason: pass",
    "from some.very.long.module.path.that.never.ends import SomethingVeryLong",
    "url = 'http://localhost:8080/path'",
    "git clone git@github.com:owner/repository.git",
    "passwordField.setText(getString(R.string.password_hint));",
    "secret: Secret = field(default_factory=Secret)",
    "if (token === 'identifier') {",
    'assert token.kind == "STRING_LITERAL"',
]


@pytest.mark.parametrize("line", PLANTED)
def test_planted_secrets_are_found(line: str) -> None:
    assert has_secret(line)
    if "PRIVATE KEY" not in line:
        assert without_secrets(f"a = 1\n{line}\nb = 2\n") == "a = 1\n\nb = 2\n"


@pytest.mark.parametrize("line", HARMLESS)
def test_code_is_not_mistaken(line: str) -> None:
    assert not has_secret(line)
    assert without_secrets(line) == line


def test_nothing_of_a_text_with_a_private_key_is_kept() -> None:
    body = "\n".join(_chars(64) for _ in range(10))
    text = "KEY = '''-----BEGIN " + f"PRIVATE KEY-----\n{body}\n-----END " + "PRIVATE KEY-----'''\n"
    assert without_secrets(f"import os\n{text}") == ""
    assert lines_without_secrets(text, 3, 6) == lines_without_secrets(text, 8, 12) == ""
    assert without_secrets("\n".join(text.split("\n")[8:])) == ""


@given(st.lists(st.sampled_from(HARMLESS + PLANTED), max_size=12))
def test_what_is_left_holds_no_secret(lines: list[str]) -> None:
    left = without_secrets("".join(f"{line}\n" for line in lines))
    assert not has_secret(left)
    if not any("PRIVATE KEY" in line for line in lines):
        assert [line for line in lines if line in HARMLESS] == [line for line in left.splitlines() if line]
        assert left.count("\n") == len(lines)


@given(st.text(max_size=400))
def test_any_text_is_looked_at(text: str) -> None:
    assert not has_secret(without_secrets(text))


def test_tokens_of_the_operating_system_are_found_under_a_telling_name() -> None:
    for _ in range(500):
        token = base64.urlsafe_b64encode(_RANDOM.randbytes(32)).rstrip(b"=").decode()
        assert has_secret(f'auth_token = "{token}"')


def test_a_token_without_a_digit_is_found() -> None:
    assert has_secret('auth_token = "' + "JcNywzlYeGsSTYLdGEDRUaRn" + 'CmGtEBFBdwYAjCzEF_o"')


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "a-",
        "sk-",
        "token=",
        "eyJ",
        "password ",
        "'Ab1",
        "://a:",
        "token='JcNywzlYeGsSTYLdGEDRUaRnCmGtEBFBdwYAjCzEF_o' ",
    ],
)
def test_long_lines_take_time_in_proportion(piece: str) -> None:
    def seconds(n_chars: int) -> float:
        text = piece * (n_chars // len(piece))
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            has_secret(text)
            best = min(best, time.process_time() - started)
        return best

    assert seconds(400_000) < 40 * max(seconds(40_000), 1e-4)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".env", True),
        ("app/.env.production", True),
        ("prod.env", True),
        ("server.pem", True),
        ("home/.ssh/id_ed25519", True),
        ("certs/tls.key", True),
        (".npmrc", True),
        ("config/secrets.yaml", True),
        ("terraform.tfvars", True),
        (".env.example", False),
        ("src/secrets.py", False),
        ("src/keys.ts", False),
        ("environment.py", False),
        ("C:\\work\\.env", True),
    ],
)
def test_secret_files_by_name(path: str, expected: bool) -> None:
    assert is_secret_file(path) is expected
