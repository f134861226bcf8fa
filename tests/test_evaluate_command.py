"""`ost devices evaluate` and `verify-report` as typed: without a house, in every language, live with a break."""

from __future__ import annotations

import io
import json
import re
import socket
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from ost.commands import evaluate as module
from ost.commands.devices import command
from ost.reports import evaluation as report
from ost.reports.words import LANGUAGES, Words
from tests.devices.evaluations import evaluated, record


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("OST_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OST_MODE", "production")
    return tmp_path / "var"


@pytest.fixture
def folder(tmp_path):
    """Three people, two impressions, as ISO templates: no picture to extract."""
    for person in (1, 2, 3):
        for number in (1, 2):
            path = tmp_path / "DB" / f"person{person}" / "right_index" / f"{number}.iso"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record(10 * person, number))
    return tmp_path / "DB"


@pytest.fixture
def no_pdf(monkeypatch):
    """Layout takes seconds, and one test looks at it."""
    monkeypatch.setattr("ost.reports.making.render_pdf", lambda html: (None, report.PDF_FAILED))


def ost(*words, **how):
    return CliRunner().invoke(command, [str(word) for word in words], **how)


def json_of(result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.strip().splitlines()[-1])


def test_a_folder_without_any_house(home, folder):
    document = json_of(ost("evaluate", "--captures", folder, "--language", "en", "--json"))
    assert (document["genuine"], document["impostor"], document["device"]["name"]) == (3, 12, "DB")
    assert set(document) >= {
        "device", "cohort", "at", "eer", "fnmr_at_fmr_0_1", "fnmr_at", "gated", "fta", "quality", "dpi_declared",
        "dpi_estimated", "times", "det", "matrix", "liveness", "verdicts", "signature", "files",
    }  # fmt: skip
    assert document["fnmr_at"]["0.0001"]["enough"] is False
    assert document["device"]["gives"] == "template" and document["dpi_declared"] is None
    file = home / "evaluations" / document["id"] / "evaluation.json"
    assert json_of(ost("verify-report", file, "--json"))["passed"] is True
    page = (file.parent / "report.html").read_text()
    assert "<script" not in page and "http" not in re.sub(r'xmlns="[^"]*"', "", page)
    assert "person1" not in page + file.read_text()


def test_an_altered_report_fails_and_says_why(home, folder, tmp_path, no_pdf):
    document = json_of(ost("evaluate", "--captures", folder, "--json"))
    assert document["files"]["pdf"] is None and document["files"]["pdf_missing_because"] == report.PDF_FAILED
    file = home / "evaluations" / document["id"] / "evaluation.json"
    public = document["signature"]["public_key"]
    text = file.read_text()
    for changed in (text.replace('"level": "undecided"', '"level": "suitable"'), text[:-40], "{}", "[]"):
        file.write_text(changed)
        result = ost("verify-report", file, "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout.strip().splitlines()[-1])["passed"] is False
    file.write_text(text)
    assert ost("verify-report", file, "--key", "00" * 32).exit_code == 1
    assert ost("verify-report", file, "--key", public).exit_code == 0
    (file.parent / "report.html").write_text("<p>better</p>")
    assert "changed" in ost("verify-report", file).output


def test_two_folders_mix_only_when_asked_to(home, folder, tmp_path, no_pdf):
    other = tmp_path / "Other"
    for person in (1, 2, 3):
        for number in (1, 2):
            path = other / f"person{person}" / "right_index" / f"{number}.iso"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record(10 * person, 50 + number))
    alone = json_of(ost("evaluate", "--captures", other, "--json"))
    json_of(ost("evaluate", "--captures", folder, "--json"))
    assert {cell["verified"] for cell in alone["matrix"]} == {"Other / device_template"}
    json_of(ost("evaluate", "--captures", folder, "--cohort", "spring", "--json"))
    crossed = json_of(ost("evaluate", "--captures", other, "--cohort", "spring", "--json"))
    cells = {(c["enrolled"], c["verified"]): c for c in crossed["matrix"]}
    mixed = cells["Other / device_template", "DB / device_template"]
    assert (mixed["genuine"], mixed["impostor"]) == (3 * 2 * 2, 36 - 12)
    again = json_of(ost("evaluate", "--captures", other, "--cohort", "spring", "--json"))
    assert len(again["sides"]) == 2  # a device evaluated twice counts once, its newest


def test_what_cannot_be_is_said_in_a_sentence(home, tmp_path):
    for words, said in (
        (["--captures", tmp_path / "absent"], "no such folder"),
        (["--captures", tmp_path], "No captures were found"),
        (["--forget", "20260101-00000000"], "no such evaluation"),
        (["--finish", "--session", "none"], "no session of this name"),
        ([], "Give one of"),
        (["--captures", tmp_path, "--reader", "simulated"], "Give one of"),
        (["--reader", "simulated", "--people", "2", "--session", "s"], "simulated reader was refused"),
    ):
        result = ost("evaluate", *words)
        assert result.exit_code != 0 and said in result.output, (words, result.output)
        assert "Traceback" not in result.output


def test_a_live_session_in_the_demo_goes_on_after_a_break(home, monkeypatch, no_pdf):
    monkeypatch.setenv("OST_MODE", "demo")
    live = ["evaluate", "--reader", "simulated", "--people", "1", "--impressions", "1", "--session", "morning", "--json"]
    asker = module._asker

    def interrupted(reader):
        ask = asker(reader)

        def asks(step):
            if step.done == 1:
                raise KeyboardInterrupt
            ask(step)

        return asks

    monkeypatch.setattr(module, "_asker", interrupted)
    stopped = ost(*live)
    assert stopped.exit_code == module.PAUSED and "goes on from here" in stopped.output
    monkeypatch.setattr(module, "_asker", asker)
    result = ost(*live)
    assert "1 of 2 impressions are there" in result.output
    document = json_of(result)
    assert document["device"]["simulated"] is True and document["sample"]["impressions"] == 2
    assert document["eer"] is None  # one impression of each finger: nothing to compare
    assert document["verdicts"]["counter_verification"]["reasons"] == [{"code": "simulated"}]
    page = (home / "evaluations" / document["id"] / "report.html").read_text()
    assert "banner" in page.split("</style>")[1]
    assert not list((home / "evaluations" / "sessions").glob("*.sealed"))


def test_a_participant_is_taken_out_by_command(home, folder, no_pdf):
    json_of(ost("evaluate", "--captures", folder, "--cohort", "spring", "--json"))
    told = json_of(ost("evaluate", "--withdraw", "person2", "--cohort", "spring", "--json"))
    assert told["evaluations"] == 1
    assert ost("evaluate", "--withdraw", "P01").exit_code == 2


# --- the report ----------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_is_whole_in_every_language(language):
    document, _ = evaluated(people=3)
    document["signature"] = {"key_name": "0000"}
    page = report.render_html(document, language)
    assert f'<html lang="{language.replace("_", "-")}">' in page
    assert page.count('class="verdict verdict--') == 3 and page.count("<svg") >= 5
    assert not re.search(r"%\(\w+\)s|\{\{|None|nan", page)
    for sentence in report.sentences(document, language).values():
        assert sentence and "%(" not in sentence


def test_without_pango_there_is_no_pdf_and_a_reason(monkeypatch):
    import builtins

    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert report.render_pdf("<p>x</p>") == (None, "pdf_library_missing")
    monkeypatch.undo()
    pdf, reason = report.render_pdf("<p>x</p>")
    assert (pdf is None) == (reason is not None)
    assert pdf is None or pdf.startswith(b"%PDF")


def test_a_report_fetches_nothing_from_outside():
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.settimeout(0.2)
        report.render_pdf(f'<img src="http://127.0.0.1:{outside.getsockname()[1]}/x.png"><p>x</p>')
        with pytest.raises(TimeoutError):
            outside.accept()
    with pytest.raises(ValueError, match="outside"):
        report._nothing_from_outside("file:///etc/hostname")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (0.0028273, "0.28 %"),
        (0.01, "1 %"),
        (0.0001, "0.01 %"),
        (0.00001, "0.001 %"),
        (0.123, "12 %"),
        (1, "100 %"),
        (None, "–"),
    ],
)
def test_percentages_say_as_much_as_they_know(fraction, text):
    assert Words.percent(fraction).replace("\u00a0", " ") == text


def test_no_narrow_terminal_swallows_a_verdict(monkeypatch, tmp_path):
    """Chinese has no spaces: a line that cannot be broken was cut with an ellipsis, and figures with it."""
    sentence = "由此樣本尚無法判定是否適合在一個機構的人員中找出是誰：不同手指只比對了 2,597 次，需要 3,000 次。"
    shown = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=shown, width=60))
    monkeypatch.setattr(module, "_figures", lambda document: "")
    document = {
        "verdicts": {"site_identification": {"level": "undecided", "sentence": sentence}},
        "files": {"html": None, "pdf": None, "pdf_missing_because": next(iter(module.NO_PDF))},
        "signature": {"key_name": "a1b2"},
    }
    module._show(SimpleNamespace(document=document, folder=tmp_path))
    text = shown.getvalue()
    assert "…" not in text
    assert sentence.replace(" ", "") in re.sub(r"site identification|undecided|\s", "", text)
