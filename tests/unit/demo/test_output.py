"""The demo prints what was decided in the language of the terminal."""

from email.message import EmailMessage
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.cli.language import terminal_language
from services.demo.output import DemoOutput, DeskLinks

ASSESSMENT: dict[str, Any] = {
    "incident_id": "i",
    "verdict": "not_covered",
    "certainty": None,
    "severity": "Severe",
    "reasons": [],
    "findings": [],
}


def told(language: Language) -> str:
    letter = EmailMessage()
    letter["to"], letter["subject"] = "desk@example.org", "Shelling"
    out = StringIO()
    output = DemoOutput(Console(file=out, width=200), words(language))
    output.email(letter, "i")
    output.judged(1, 2, {"act": "aid_obstruction", "location": {}}, ASSESSMENT)
    output.closing(
        {"violation": 2, "not_covered": 1}, 2, DeskLinks("http://127.0.0.1:8000/m", "http://127.0.0.1:8000/o")
    )
    return out.getvalue()


def test_in_english() -> None:
    assert told("en").splitlines() == [
        "  1/2 not covered  severe            obstruction of aid, no place named – ",
        "       → email to desk@example.org: Shelling",
        "• 3 reports: 2 violation, 1 not covered; 2 alerts arrived, every one that was due",
        "• the desk, for a monitor: http://127.0.0.1:8000/m",
        "• the desk, for an operator: http://127.0.0.1:8000/o",
    ]


def test_in_the_words_of_the_terms_in_russian() -> None:
    assert "не охвачено перемирием высокая" in told("ru")
    assert "3 сообщения: 2 нарушение, 1 не охвачено перемирием; пришло 2 оповещения" in told("ru")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "ar_SY"}, "ar"),
        ({"LC_ALL": "", "LC_MESSAGES": "ar", "LANG": "ru"}, "ar"),
        ({"LANG": "arn_CL"}, "en"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_of_a_terminal(environment: dict[str, str], language: Language) -> None:
    assert terminal_language(environment) == language
