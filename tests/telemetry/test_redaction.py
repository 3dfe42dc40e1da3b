"""Secrets go, code stays. The samples are made up and put together here, so that no scanner takes them for real."""

from __future__ import annotations

import pytest

from fimble.telemetry.redaction import redact

_LETTERS = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zAcDfG"


@pytest.mark.parametrize(
    ("before", "secret", "after"),
    [
        ('key = "', "AKIA" + "IOSFODNN7EXAMPLE", '"'),
        ("", "ghp_" + _LETTERS, "\n"),
        ("", "github_pat_" + _LETTERS[:22] + "_x", "\n"),
        ("", "glpat-" + _LETTERS[:20], "\n"),
        ("", "xoxb-" + "123456789012-abcdef", " "),
        ("post(", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXX", ")"),
        ("", "AIza" + _LETTERS[:35], " "),
        ("", "sk_live_" + _LETTERS[:24], " "),
        ("", "sk-" + _LETTERS, " "),
        ("", "hf_" + _LETTERS[:34], " "),
        ("", "npm_" + _LETTERS[:36], " "),
        ("", "SG." + _LETTERS[:22] + "." + _LETTERS, " "),
        ("", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + _LETTERS, " "),
        ("Authorization: Bearer ", "abcdefghijklmnop1234", "\n"),
        ("postgres://me:", "hunter2", "@host/db"),
        ('password = "', "correct horse", '"'),
        ("DB_PASSWD = '", "tr0ub4dor&3", "'"),
        ('{"api_key": "', "abcd1234", '"}'),
        ('client_secret := "', "abcd1234", '"'),
        ("authToken: '", "abcd1234", "'"),
        ("export SERVICE_TOKEN=", "abcd1234efgh", "\n"),
        ("  db_password: ", "abcd1234efgh", "\n"),
        ("x = '", "d41d8cd98f00b204e9800998ecf8427e", "'"),
        ('y = "', "Zm9vYmFyYmF6MTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1O", '"'),
    ],
)
def test_secrets_go(before: str, secret: str, after: str) -> None:
    left = redact(f"{before}{secret}{after}")
    assert secret not in left
    assert left.startswith(before)
    assert left.endswith(after)
    assert "<redacted:" in left


def test_private_keys_go_whole_or_cut_off() -> None:
    key = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END RSA PRIVATE " + "KEY-----"
    assert redact(f"a = '''{key}'''") == "a = '''<redacted:private_key>'''"
    assert "MIIE" not in redact(key[:60])


@pytest.mark.parametrize(
    "code",
    [
        "def check_password(user, password):\n    return hash(password) == user.password_hash\n",
        "token = tokenizer.next_token()\n",
        'if token == "else":\n    pass\n',
        "for token in tokens:\n    yield token\n",
        "url = 'https://example.org:8080/a/b?c=d'\n",
        "this_is_a_very_long_function_name_that_somebody_has_really_written()\n",
        "from some_package.with_a_long_path.and_more_of_it import VeryLongClassNameIndeed\n",
        "return AbstractSingletonProxyFactoryBeanWithManyWords.instance()\n",
        "x = '================================================'\n",
        "SECRET_KEY = os.environ['SECRET_KEY']\n",
        "token_limit = max_tokens\n",
        "api_key: str\n",
        "    access_token: Optional[str] = None\n",
        "password: string;\n",
    ],
)
def test_code_stays(code: str) -> None:
    assert redact(code) == code


def test_redacting_twice_changes_nothing() -> None:
    once = redact(f"password = 'abcd1234'  # ghp_{_LETTERS}\ntoken = 'sk-{_LETTERS}'\n")
    assert redact(once) == once
