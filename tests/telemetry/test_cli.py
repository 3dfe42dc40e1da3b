"""The commands, through click, against a real file."""

from __future__ import annotations

import csv
import http.server
import json
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from fimble.cli.experiment import experiment
from fimble.cli.stats import stats
from fimble.cli.telemetry import telemetry
from fimble.core.config import TelemetryOptions
from fimble.core.errors import FimbleError
from fimble.core.flow import Event, EventKind, RequestId
from fimble.engine.clock import SystemClock
from fimble.engine.settings import load_settings
from fimble.telemetry.database import connect_writing
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    import click

_HORIZONS = (30, 120, 300, 600)


@pytest.fixture
def path() -> Path:
    return load_settings().paths.state / "telemetry.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """Two languages today, one acceptance each; one request refused."""
    clock = SystemClock()
    recorder = Recorder(path, SessionInfo("s", int(clock.unix_ms()), "0.1.0"), TelemetryOptions(), clock)
    for name, language in (("p1", "python"), ("p2", "python"), ("r1", "rust"), ("p3", "python")):
        request, at_ms = RequestId(name), clock.unix_ms()
        fields = {
            "language": language,
            "model": "/home/me/models/tiny.gguf",
            "node_kind": "<b>&block",
            "total_ms": 120.0,
        }
        recorder.record(Event(request, EventKind.REQUESTED, at_ms, fields))
        if name == "p3":
            recorder.record(Event(request, EventKind.REJECTED, at_ms, {"reason": "empty"}))
            continue
        recorder.record(Event(request, EventKind.ANSWERED, at_ms, {"source": "model", "n_chars": 10}))
        recorder.record(Event(request, EventKind.SHOWN, at_ms, {"exact": True}))
        recorder.record(Event(request, EventKind.SEEN, at_ms, {"exact": True}))
        if name != "p2":
            recorder.record(Event(request, EventKind.ACCEPTED, at_ms, {"exact": True, "n_chars": 10}))
            for after_s in _HORIZONS:
                measure = {"after_s": after_s, "kept": 0.5, "n_kept_chars": 5, "unmodified": False, "carried": False}
                recorder.record(Event(request, EventKind.PERSISTED, at_ms, measure))
    assert recorder.flush()
    recorder.close()
    return path


def _run(command: click.Command, *args: str, **kwargs: Any) -> Result:
    return CliRunner().invoke(command, args, catch_exceptions=False, **kwargs)


def _fails(command: click.Command, *args: str) -> str:
    with pytest.raises(FimbleError) as caught:
        _run(command, *args)
    assert caught.value.mend
    return str(caught.value)


# stats


def test_stats_in_the_terminal(filled: Path) -> None:
    shown = _run(stats, "--by", "language").output
    lines = shown.splitlines()
    assert "CAR %" in lines[0]
    assert lines[1].split() == ["python", "2", "1", "50", "(9-91)", "50", "50", "50", "50", "5", "120", "120"]
    assert lines[2].split() == ["rust", "1", "1", "100", "(21-100)", "50", "50", "50", "50", "5", "120", "120"]
    assert lines[3].split()[:3] == ["all", "3", "2"]
    assert "Not answered: 1 empty." in shown


def test_stats_as_json(filled: Path) -> None:
    found = json.loads(_run(stats, "--since", "all", "--by", "language", "--json").output)
    assert found["by"] == "language"
    assert [group["label"] for group in found["groups"]] == ["python", "rust"]
    assert found["total"]["car"]["value"] == pytest.approx(2 / 3)
    assert found["total"]["persistence"]["300"]["cpr"]["value"] == 0.5
    assert found["rejections"] == {"empty": 1}


def test_stats_as_csv(filled: Path) -> None:
    rows = list(csv.DictReader(_run(stats, "--by", "model", "--csv").output.splitlines()))
    assert [row["label"] for row in rows] == ["tiny.gguf"]  # not where it lies
    assert float(rows[0]["car.value"]) == pytest.approx(2 / 3)
    assert rows[0]["kept_chars"] == "10"


def test_stats_of_nothing() -> None:
    assert "Nothing was recorded since 30d" in _run(stats).output
    assert json.loads(_run(stats, "--json").output)["total"]["shown"] == 0
    assert "Nothing was recorded" in _run(stats, "--html", "-").output


def test_stats_refuses_nonsense() -> None:
    assert "no stretch of time" in _fails(stats, "--since", "tomorrow")
    assert _run(stats, "--json", "--csv").exit_code == 2
    assert _run(stats, "--by", "mood").exit_code == 2


def test_stats_says_when_counting_is_off(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_TELEMETRY_ENABLED", "false")
    assert "switched off" in _run(stats).output


def test_stats_of_a_damaged_or_newer_file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage" * 1000)
    assert "damaged" in _fails(stats)
    path.unlink()
    db = connect_writing(path, 0.0)
    db.execute("INSERT INTO migrations VALUES ('m999_of_the_future', 0)")
    db.close()
    assert "newer fimble" in _fails(stats)


class _Page(HTMLParser):
    """Collects what a page would load, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads.extend(f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "data", "srcset"))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "stats.html"
    assert str(target) in _run(stats, "--html", str(target)).output
    html = target.read_text("utf-8")
    page = _Page()
    page.feed(html)
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert "default-src 'none'" in html
    assert page.tags.count("figure") == 6
    text = " ".join(page.text)
    assert "67 %" in text
    assert "<b>&block" in text  # names are shown as they are, and not as markup
    assert "NaN" not in html


def test_the_page_cannot_be_written(filled: Path, tmp_path: Path) -> None:
    assert "Could not open" in _run(stats, "--html", str(tmp_path / "no" / "folder.html")).output


# telemetry


def test_show_in_plain_words(filled: Path) -> None:
    shown = _run(telemetry, "show").output
    assert "Counting is on" in shown
    assert str(filled) in shown
    assert "No code, no file names" in shown
    assert "Completions: 4." in shown
    assert "/home/me" not in shown
    assert "tiny.gguf" in shown


def test_show_says_what_the_settings_say(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_TELEMETRY_ENABLED", "off")
    monkeypatch.setenv("FIMBLE_TELEMETRY_STORE_CODE", "on")
    shown = _run(telemetry, "show", "--last", "0").output
    assert "Counting is off" in shown
    assert "store_code on" in shown
    found = json.loads(_run(telemetry, "show", "--json", "--last", "2").output)
    assert (found["enabled"], found["store_code"], found["completions"]) == (False, True, 4)
    assert [row["language"] for row in found["rows"]] == ["python", "rust"]


def test_path(path: Path) -> None:
    assert _run(telemetry, "path").output.strip() == str(path)
    assert not path.exists()
    assert "Nothing is stored yet." in _run(telemetry, "show").output
    assert not path.exists()


def test_purge_asks(filled: Path) -> None:
    assert _run(telemetry, "purge", input="n\n").exit_code == 1
    assert "Completions: 4." in _run(telemetry, "show").output
    assert "Deleted: 0 completions" in _run(telemetry, "purge", "--before", "1d", "--yes").output
    assert "Deleted: 4 completions" in _run(telemetry, "purge", input="y\n").output
    assert "Nothing is stored yet." in _run(telemetry, "show").output


def test_export_as_csv_and_json_lines(filled: Path, tmp_path: Path) -> None:
    _run(telemetry, "export", str(tmp_path / "x.csv"))
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["language"] for row in rows] == ["python", "python", "rust", "python"]
    assert rows[0]["kept_300s"] == "0.5"
    assert rows[1]["kept_300s"] == ""
    _run(telemetry, "export", str(tmp_path / "x.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [line["reason"] for line in lines] == [None, None, None, "empty"]
    assert lines[0]["is_unmodified_30s"] == 0


def test_export_as_parquet(filled: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    _run(telemetry, "export", str(tmp_path / "x.parquet"))
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.num_rows == 4
    assert str(table.schema.field("kept_300s").type) == "double"
    assert table.column("language").to_pylist() == ["python", "python", "rust", "python"]
    assert table.column("n_kept_chars_600s").to_pylist() == [5, None, 5, None]


def test_export_of_nothing_has_its_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("x.parquet", "x.csv"):
        assert "0 completions written" in _run(telemetry, "export", str(tmp_path / name)).output
    assert parquet.read_table(tmp_path / "x.parquet").schema.names[0] == "session"
    assert (tmp_path / "x.csv").read_text().startswith("session,")


def test_export_without_pyarrow_says_what_to_install(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert "fimble[export]" in _fails(telemetry, "export", str(tmp_path / "x.parquet"))


def test_export_refuses_nonsense(filled: Path, tmp_path: Path) -> None:
    assert ".parquet, .csv or .jsonl" in _fails(telemetry, "export", str(tmp_path / "x.xls"))
    assert "Nowhere to write to" in _fails(telemetry, "export")
    assert "Could not open" in _run(telemetry, "export", str(tmp_path / "no" / "x.csv")).output


class _Collector(http.server.BaseHTTPRequestHandler):
    taken: list[tuple[str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, json.loads(body)))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[type[_Collector]]:
    handler = type("Handler", (_Collector,), {"taken": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_totals_go_to_a_collector_only_when_named(
    filled: Path, collector: type[_Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "telemetry.otlp_endpoint" in _fails(telemetry, "export", "--otlp")
    monkeypatch.setenv("FIMBLE_TELEMETRY_OTLP_ENDPOINT", collector.url + "/")
    assert "Totals sent" in _run(telemetry, "export", "--otlp").output
    ((where, message),) = collector.taken
    assert where == "/v1/metrics"
    metrics = {m["name"]: m for m in message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
    points = metrics["fimble.accepted"]["sum"]["dataPoints"]
    by_language = {point["attributes"][1]["value"]["stringValue"]: point["asInt"] for point in points}
    assert by_language == {"python": "1", "rust": "1"}
    assert len(metrics["fimble.persistence.ratio"]["gauge"]["dataPoints"]) == 8
    assert "/home/me" not in json.dumps(message)
    monkeypatch.setenv("FIMBLE_NETWORK_OFFLINE", "true")
    assert "network.offline" in _fails(telemetry, "export", "--otlp")
    assert len(collector.taken) == 1


def test_a_collector_that_refuses(filled: Path, collector: type[_Collector], monkeypatch: pytest.MonkeyPatch) -> None:
    collector.status = 503
    monkeypatch.setenv("FIMBLE_TELEMETRY_OTLP_ENDPOINT", collector.url)
    assert "did not take the totals" in _fails(telemetry, "export", "--otlp")
    monkeypatch.setenv("FIMBLE_TELEMETRY_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert "did not take the totals" in _fails(telemetry, "export", "--otlp")


def test_the_message_can_be_written_instead(filled: Path, tmp_path: Path) -> None:
    _run(telemetry, "export", "--otlp", str(tmp_path / "x.json"))
    assert "resourceMetrics" in json.loads((tmp_path / "x.json").read_text())


# experiment


def test_an_experiment_from_start_to_stop() -> None:
    begun = _run(experiment, "start", "lines", "--a", "completion.lines=single", "--b", "completion.lines=multi").output
    assert "a: completion.lines = single" in begun
    assert "Restart your editors" in begun
    assert "Nothing can be concluded yet" in _run(experiment, "status").output
    found = json.loads(_run(experiment, "status", "lines", "--json").output)
    assert found["arms"][1]["settings"] == {"completion.lines": "multi"}
    assert (found["decided"], found["stopped"]) == (False, None)
    assert "ended 2" in _run(experiment, "stop").output
    assert "No experiment is running" in _fails(experiment, "stop")
    assert "Nothing can be concluded" in _run(experiment, "status").output


def test_experiments_refuse_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no experiment yet" in _fails(experiment, "status")
    assert "no option with a value" in _fails(experiment, "start", "x", "--a", "completion.lines")
    assert "no such option" in _fails(experiment, "start", "x", "--a", "no.such=1")
    assert "There is no experiment 'x'" in _fails(experiment, "status", "x")
    monkeypatch.setenv("FIMBLE_TELEMETRY_ENABLED", "false")
    assert "Counting is off" in _fails(experiment, "start", "x", "--a", "completion.lines=single")
