"""Mail, read back with the standard library's own parser: headers, threads, languages, and nothing broken out of."""

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.assessments import Alert, Reason, ResolvedParty, ResolvedPlace, SourceRef
from schemas.instants import DAY, HOUR, parse_instant
from schemas.vocabulary import LANGUAGES, AlertStatus, Language
from schemas.wording.lines import clean
from services.notify.domain.heartbeat import Heartbeat
from services.notify.domain.subscription import Draft, Email, Subscription
from services.notify.kinds.alert import alert_page
from services.notify.kinds.confirmation import ConfirmLinks, confirm_page
from services.notify.kinds.digest import MAX_ROWS, digest_page
from services.notify.kinds.heartbeat import heartbeat_page
from services.notify.kinds.kind import Material
from services.notify.kinds.notice import notice_page
from services.notify.kinds.test import TEST
from services.notify.render import mime
from services.notify.render.mail import render
from tests.examples import examples
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES

NOW = parse_instant("2016-05-08T09:00:00Z")
URL = "https://truce.example.org"
SENDER = mime.parse_sender("Trucewatch <alerts@truce.example.org>")
UNSUBSCRIBE = URL + "/v1/unsubscribe?token=a-very_long-token=" + "x" * 90
OWN = (
    "The link to an alert shows how it stands when it is opened. "
    "It is yours alone, and ends after 90 days or with the subscription."
)
LINK = URL + "/a/" + "aToken_-" * 16
DAMASCUS = ZoneInfo("Asia/Damascus")


def addressed(letter: mime.Letter, alert: Alert = ALERT, to: str = "desk@example.org", name: str = "Desk") -> bytes:
    message_id, references = mime.alert_mail_ids(alert, to, SENDER.domain)
    own = mime.Addressing(
        to, message_id, NOW, name=name, references=references, unsubscribe_url=UNSUBSCRIBE,
        labels=(("X-Trucewatch-Alert", alert.id),), alert_url=LINK,
    )  # fmt: skip
    return letter.address_to(SENDER, own)


def link_to(alert: str, revision: int) -> str:
    return f"{URL}/a/{alert}-{revision}"


def read(raw: bytes) -> tuple[EmailMessage, str, str]:
    """The message, its text and its HTML; the wire form is checked on the way."""
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(len(line) for line in body.split(b"\r\n")) <= 78
    assert raw.isascii()
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert not text.defects
    assert not html.defects
    return message, text.get_content().replace("\r\n", "\n"), html.get_content()


def letter(alert: Alert = ALERT, status: AlertStatus = "raised", language: Language = "en") -> mime.Letter:
    return render(alert_page(alert, status=status, language=language), language)


def test_the_headers() -> None:
    message, _, _ = read(addressed(letter()))
    assert message.get_content_type() == "multipart/alternative"
    parts = [part.get_content_type() for part in message.iter_parts()]
    assert parts == ["text/plain", "text/html"]
    assert message["From"] == "Trucewatch <alerts@truce.example.org>"
    assert message["To"] == "desk@example.org"
    assert message["Subject"] == "Violation: shelling, Midan, Aleppo, 8 May 2016; 1 killed"
    assert message["Date"].datetime.isoformat() == "2016-05-08T09:00:00+00:00"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["X-Trucewatch-Alert"] == ALERT.id
    assert len(message.keys()) == len(set(message.keys()))


def test_the_text_reads_well_alone() -> None:
    _, text, _ = read(addressed(letter(), name="Aleppo desk"))
    assert (
        text
        == f"""New alert · severe
Violation: shelling, Midan, Aleppo, 8 May 2016; 1 killed

Severity: severe
Certainty: possible
Act: shelling
When: 8 May 2016, the whole day (Asia/Damascus, UTC+03:00)
Where: Midan, Aleppo (36.2140, 37.1660, within 1 km)
Attributed to: armed opposition (reported as: opposition fighters)
Against: civilians
Casualties (as claimed): 1 killed, 0 injured
Truces: Aleppo regime of calm, Cessation of hostilities
Source: State media, grade C3

Why
* The Aleppo regime of calm was in force then and there.
* “opposition fighters” is an umbrella name.
* Nusra Front is recorded as present in the area.

Open the alert:
{LINK}

Times are given in the time zone of the place and in UTC. Counts are claims of the source.
{OWN}

You get this message because the subscription “Aleppo desk” names this address.
Unsubscribe:
{UNSUBSCRIBE}
"""
    )


def test_the_html_says_the_same() -> None:
    _, text, html = read(addressed(letter(), name="A & B <desk>"))
    assert '<html lang="en" dir="ltr">' in html
    assert "A &amp; B &lt;desk&gt;" in html
    assert f'href="{UNSUBSCRIBE}"' in html
    for line in text.splitlines():
        value = line.removeprefix("* ").partition(": ")[2] or line.removeprefix("* ")
        if "<desk>" not in line:
            assert value.rstrip(":") in html


@pytest.mark.parametrize(
    ("language", "direction", "subject", "said"),
    [("ar", "rtl", "انتهاك: قصف مدفعي، \u200fMidan, Aleppo\u200f، 8 أيار 2016؛ قتيل واحد", "درجة اليقين: ممكن"),
     ("ru", "ltr", "Нарушение: артиллерийский обстрел, Midan, Aleppo, 8 мая 2016; 1 погибший",
      "Достоверность: возможно")],
)  # fmt: skip
def test_other_languages(language: Language, direction: str, subject: str, said: str) -> None:
    message, text, html = read(addressed(letter(language=language), name="مكتب حلب"))
    assert message["Subject"] == subject
    assert message["Content-Language"] == language
    assert said in text
    assert "مكتب حلب" in text
    assert f'<html lang="{language}" dir="{direction}">' in html


def test_an_update_tells_what_changed_and_a_cancellation_that_it_holds_no_more() -> None:
    alert = msgspec.structs.replace(ALERT, revision=2, changes=UPDATE_CHANGES)
    updated, text, _ = read(addressed(letter(alert, "updated"), alert))
    assert updated["Subject"].startswith("Updated: Violation: shelling")
    assert "What changed\n\n* Severity\n  Before: moderate\n  Now: severe\n" in text
    cancelled, text, _ = read(addressed(letter(alert, "cancelled"), alert))
    assert cancelled["Subject"].startswith("Cancelled: ")
    assert text.startswith("Cancelled\n")
    assert "no longer holds" in text


def test_mails_of_an_alert_hang_together_and_their_ids_are_functions() -> None:
    revisions = [msgspec.structs.replace(ALERT, revision=n) for n in (1, 2, 3)]
    first, second, third = (read(addressed(letter(a), a))[0] for a in revisions)
    assert len({m["Message-ID"] for m in (first, second, third)}) == 3
    assert third["In-Reply-To"] == second["Message-ID"]
    assert third["References"].split() == [first["References"], first["Message-ID"], second["Message-ID"]]
    assert read(addressed(letter(), to="other@example.org"))[0]["Message-ID"] != first["Message-ID"]
    assert addressed(letter()) == addressed(letter())
    again = msgspec.structs.replace(ALERT, id="alr_again")
    assert read(addressed(letter(again), again))[0]["References"] == first["References"]
    long = msgspec.structs.replace(ALERT, revision=400)
    assert len(read(addressed(letter(long), long))[0]["References"].split()) == 10


def _nasty(text: str) -> Alert:
    return msgspec.structs.replace(
        ALERT,
        revision=2,
        place=ResolvedPlace(text, 1.0, 2.0, 3.0),
        perpetrators=(ResolvedParty(text),),
        source=SourceRef(text),
        reasons=(Reason("unattributed", {}, text),),
        names={"en": {"aleppo-calm": text}},
        changes=UPDATE_CHANGES,
        texts={},
    )


EXPECTED_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Unsubscribe",
    "List-Unsubscribe-Post", "X-Trucewatch-Alert", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language",
    "MIME-Version", "Content-Type",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_breaks_out_of_where_it_stands(language: Language) -> None:
    alert = _nasty(NASTY)
    message, text, html = read(addressed(letter(alert, "updated", language), alert, name=NASTY))
    assert set(message.keys()) == EXPECTED_HEADERS
    assert "<script" not in html
    assert "\u202e" not in html + text + message["Subject"]
    assert "=?utf-8?q?a?=" in message["Subject"]
    assert len(re.findall("unsubscribe", text)) == 1


@examples(60)
@given(st.text(max_size=200))
def test_any_text_gives_a_sound_mail(text: str) -> None:
    alert = _nasty(text)
    message, _, html = read(addressed(letter(alert), alert, name=text))
    assert set(message.keys()) == EXPECTED_HEADERS
    assert "\n" not in message["Subject"]
    assert html.count("<html") == html.count("</html>") == 1


@given(st.text(max_size=300), st.integers(4, 30))
def test_header_text_comes_back_as_it_was(text: str, column: int) -> None:
    encoded = mime.encode_text(text, column)
    assert encoded.isascii()
    assert max(len(line) for line in encoded.split(b"\r\n")) <= 77
    raw = b"X:" + b" " * (column - 2) + encoded + b"\r\n\r\n"
    parsed = BytesParser(policy=policy.default).parsebytes(raw)["X"]
    assert clean(str(parsed)) == clean(text)


#: Short enough for one encoded word: Python's parser puts a blank between two of them in a phrase, which is its fault.
@given(st.text(min_size=1, max_size=8))
@example('Desk, Aleppo "north" <x@example.org>')
def test_any_name_of_the_sender_comes_back_as_it_was(name: str) -> None:
    raw = b"From: " + mime.encode_phrase(name, len("From: ")) + b" <a@example.org>\r\n\r\n"
    [parsed] = BytesParser(policy=policy.default).parsebytes(raw)["From"].addresses
    assert (clean(parsed.display_name), parsed.addr_spec) == (clean(name).strip(), "a@example.org")


@pytest.mark.parametrize(
    "address", ["", "a", "a@b\r\nBcc: c@d.org", "a b@example.org", "a@b,c@d.org", "<a@b.org>", "é@b.org"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(mime.BadHeaderError):
        addressed(letter(), to=address)


def test_a_url_with_a_line_break_is_refused() -> None:
    own = mime.Addressing("a@example.org", "<1@x>", NOW, unsubscribe_url="https://a/\r\nX: y")
    with pytest.raises(mime.BadHeaderError):
        letter().address_to(SENDER, own)


@pytest.mark.parametrize("language", LANGUAGES)
def test_digest_and_daily(language: Language) -> None:
    items: list[tuple[Alert, AlertStatus]] = [(ALERT, "raised"), (ALERT, "cancelled")] * 60
    beat = Heartbeat(7, NOW - DAY, NOW, reports=21, violations=2, delivered=5)
    for daily in (False, True):
        made = digest_page(
            items, start=NOW - DAY, end=NOW, zone=DAMASCUS, group="Aleppo", language=language,
            link_to=link_to, daily=daily, heartbeat=beat,
        )  # fmt: skip
        message, text, html = read(addressed(render(made, language)))
        assert "120" in message["Subject"]
        assert text.count(f"{URL}/a/") == html.count(f"{URL}/a/") == MAX_ROWS
        assert "20" in text
        assert "21" in text
        assert "2016" in text


def test_a_quiet_day_says_so() -> None:
    beat = Heartbeat(7, NOW - DAY, NOW, reports=21, violations=0, delivered=0)
    made = digest_page(
        [], start=NOW - DAY, end=NOW, zone=DAMASCUS, group=None, language="en", link_to=link_to, daily=True,
        heartbeat=beat,
    )  # fmt: skip
    message, text, _ = read(addressed(render(made, "en")))
    assert message["Subject"] == "Daily summary, 7 May 2016: 0 alerts"
    assert "Nothing for you, 7 May 2016, 12:00 to 8 May 2016, 12:00." in text
    assert "21 reports judged, 0 violations, 0 messages delivered to you. Last alert: none." in text


def trial(language: Language) -> mime.Letter:
    draft = Draft(Email("desk@example.org"), language=language)
    assert TEST.page is not None
    made = Material(TEST.make("s1", NOW), Subscription("s1", "desk-a", draft, "active", NOW), URL)
    return render(TEST.page(made), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_other_letters(language: Language) -> None:
    links = ConfirmLinks(f"{URL}/v1/confirm?token=abc", f"{URL}/v1/block?token=abc")
    confirm = render(confirm_page("channel", NASTY, links, language), language)
    own = mime.Addressing("desk@example.org", mime.mail_id("x.org", "confirm", "sub_1"), NOW)
    message, text, html = read(confirm.address_to(SENDER, own))
    assert message["List-Unsubscribe"] is None
    assert "References" not in message
    assert f"{URL}/v1/confirm?token=abc\n" in text
    assert f'href="{URL}/v1/confirm?token=abc"' in html
    beat = Heartbeat(7, NOW - HOUR, NOW, reports=5, violations=1, delivered=1, last_alert=NOW)
    assert (
        "7" in read(addressed(render(heartbeat_page(beat, zone=DAMASCUS, language=language), language)))[0]["Subject"]
    )
    assert "Desk" in read(addressed(trial(language)))[1]
    for kind in ("failing", "disabled", "gone", "bounced", "silence_expired", "names_removed"):
        notice = notice_page(
            kind, "Desk", since=NOW, zone=DAMASCUS, endpoint="https://a.example.org/x", answer="503", language=language
        )
        message, text, _ = read(render(notice, language).address_to(SENDER, own))
        assert "Desk" in message["Subject"]
        assert "503" in text


def test_senders() -> None:
    assert mime.parse_sender("alerts@example.org").header == b"<alerts@example.org>"
    named = mime.parse_sender("Наблюдение <alerts@example.org>")
    assert named.domain == "example.org"
    own = mime.Addressing("a@example.org", "<1@x>", NOW)
    message, _, _ = read(letter().address_to(named, own))
    assert message["From"] == "Наблюдение <alerts@example.org>"
    with pytest.raises(mime.BadHeaderError):
        mime.parse_sender("nobody")
