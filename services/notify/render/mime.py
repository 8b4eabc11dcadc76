"""Mail as bytes: headers that no text can break out of, bodies in quoted-printable, and slots for the recipient.

A letter is rendered and encoded once for all who get it in one language; addressing it to one of them only joins bytes.
"""

import binascii
import hashlib
import html
import re
from base64 import b64encode
from dataclasses import dataclass
from email.utils import format_datetime, parseaddr
from typing import Final

from schemas.assessments import Alert
from schemas.instants import to_datetime
from schemas.wording.lines import clean

#: Placeholders for the recipient's values in a rendered page. Texts of reports are cleaned, so cannot hold them.
NAME_SLOT: Final = "\x01"
UNSUBSCRIBE_SLOT: Final = "\x02"
ALERT_SLOT: Final = "\x03"
#: Contains ``=_``, which quoted-printable never does, so no body contains it.
BOUNDARY: Final = b"=_trucewatch_alternative"

#: Maximum earlier revisions in a mail's References.
MAX_REFERENCES: Final = 9

_SLOTS: Final = re.compile(f"([{NAME_SLOT}{UNSUBSCRIBE_SLOT}{ALERT_SLOT}])")
_SOFT_BREAK: Final = b"=\r\n"
_CHUNK: Final = 42
_SAFE_ID: Final = re.compile(r"[!-~]+")
#: Words of RFC 5322 atoms, none of which looks like an encoded word.
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_ADDRESS: Final = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]+@[A-Za-z0-9.-]+")


class BadHeaderError(ValueError):
    """An address, an id or a URL with characters that are not allowed in a header."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The ``From`` header, the address in it, and its domain, which message ids end in."""

    header: bytes
    address: str
    domain: str


def parse_sender(text: str) -> Sender:
    """The sender of ``Trucewatch <alerts@example.org>``. Raises BadHeaderError."""
    name, address = parseaddr(text)
    checked = check_address(address)
    shown = b"<%b>" % checked.encode("ascii")
    header = encode_phrase(name, len("From: ")) + b" " + shown if name else shown
    return Sender(header, checked, checked.rpartition("@")[2])


def check_address(address: str) -> str:
    """The address, if it is valid in a header and an envelope. Raises BadHeaderError."""
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise BadHeaderError("not a mail address")
    return address


def encode_text(text: str, column: int) -> bytes:
    """Free text as header bytes: plain where it is short ASCII, else RFC 2047 words, folded. ``column``: where it
    starts on its line."""
    line = clean(text)
    if line.isascii() and "=?" not in line and column + len(line) <= 76 and line.isprintable():
        return line.encode("ascii")
    return _encode_words(line, column)


def encode_phrase(text: str, column: int) -> bytes:
    """The display name of an address (RFC 5322, 3.2.5): plain if it is short and all atoms, else RFC 2047 words."""
    line = clean(text)
    return line.encode("ascii") if _ATOMS.fullmatch(line) and column + len(line) <= 76 else _encode_words(line, column)


def _encode_words(line: str, column: int) -> bytes:
    return b"\r\n ".join(b"=?utf-8?B?%b?=" % b64encode(chunk) for chunk in _chunks(line, column))


def _chunks(text: str, column: int) -> list[bytes]:
    """The text's UTF-8 in pieces that end between characters; the first leaves room for the header's name."""
    chunks, room = [b""], _CHUNK - max(column - 8, 0) * 3 // 4
    for character in text:
        raw = character.encode("utf-8", "replace")
        if len(chunks[-1]) + len(raw) > room:
            chunks.append(b"")
            room = _CHUNK
        chunks[-1] += raw
    return chunks


def mail_id(domain: str, *parts: str | int) -> str:
    """A Message-ID that is a function of its parts."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:40]
    return f"<{digest}@{domain}>"


def alert_mail_ids(alert: Alert, recipient: str, domain: str) -> tuple[str, tuple[str, ...]]:
    """Message-ID and References of an alert's mail, functions of (alert, revision, recipient) and of the thread.

    The thread has an id that no mail has, so that mail readers show all its alerts together, whichever revisions the
    recipient got.
    """
    ids = [alert_mail_id(alert.id, n, recipient, domain) for n in range(1, alert.revision + 1)]
    root = mail_id(domain, "thread", alert.thread, recipient)
    return ids[-1], (root, *ids[:-1][-MAX_REFERENCES:])


def alert_mail_id(alert: str, revision: int, recipient: str, domain: str) -> str:
    """The Message-ID of the mail about one revision of an alert."""
    return mail_id(domain, "alert", alert, revision, recipient)


def quoted_printable(text: str) -> bytes:
    """UTF-8 in quoted-printable with CRLF and lines of 76 characters at most."""
    lines = text.encode("utf-8", "replace").replace(b"\r\n", b"\n")
    return binascii.b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")


@dataclass(frozen=True, slots=True)
class Body:
    """One rendered part: bytes, then a slot's name and bytes in turn, all encoded already."""

    kind: bytes
    pieces: tuple[bytes, ...]
    slots: tuple[str, ...]

    def fill(self, values: dict[str, str], *, markup: bool) -> bytes:
        """The part with the recipient's values filled in."""
        if not self.slots:
            return self.pieces[0]
        filled = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            value = values[slot]
            filled += [_SOFT_BREAK, quoted_printable(html.escape(value) if markup else value), _SOFT_BREAK, piece]
        return b"".join(filled)


def encode_body(kind: bytes, rendered: str) -> Body:
    """A rendered page, encoded, with its slots left open."""
    parts = _SLOTS.split(rendered)
    return Body(kind, tuple(quoted_printable(part) for part in parts[::2]), tuple(parts[1::2]))


@dataclass(frozen=True, slots=True)
class Addressing:
    """The values of one recipient's copy. ``message_id`` and ``references`` include angle brackets."""

    to: str
    message_id: str
    sent_at: int
    name: str = ""
    references: tuple[str, ...] = ()
    unsubscribe_url: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    alert_url: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail without a recipient."""

    subject: bytes
    language: str
    text: Body
    html: Body

    def address_to(self, sender: Sender, own: Addressing) -> bytes:
        """The whole message with CRLF line ends. Raises BadHeaderError for an invalid address, id or URL."""
        values = {NAME_SLOT: clean(own.name), UNSUBSCRIBE_SLOT: own.unsubscribe_url or "", ALERT_SLOT: own.alert_url}
        return b"".join(
            (
                *_head(sender, self, own),
                _part_head(self.text.kind),
                self.text.fill(values, markup=False),
                _part_head(self.html.kind),
                self.html.fill(values, markup=True),
                b"\r\n--",
                BOUNDARY,
                b"--\r\n",
            )
        )


def _head(sender: Sender, letter: Letter, own: Addressing) -> list[bytes]:
    lines = [
        b"From: %b\r\n" % sender.header,
        b"To: <%b>\r\n" % check_address(own.to).encode("ascii"),
        b"Subject: %b\r\n" % letter.subject,
        b"Date: %b\r\n" % format_datetime(to_datetime(own.sent_at)).encode("ascii"),
        b"Message-ID: %b\r\n" % _token(own.message_id),
    ]
    if own.references:
        known = [_token(reference) for reference in own.references]
        lines.append(b"In-Reply-To: %b\r\nReferences: %b\r\n" % (known[-1], b"\r\n ".join(known)))
    if own.unsubscribe_url:
        lines.append(b"List-Unsubscribe: <%b>\r\n" % _token(own.unsubscribe_url))
        lines.append(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    lines += [b"%b: %b\r\n" % (_token(name), _token(value)) for name, value in own.labels]
    lines.append(
        b"Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nContent-Language: %b\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="%b"\r\n'
        % (letter.language.encode("ascii"), BOUNDARY)
    )
    return lines


def _token(text: str) -> bytes:
    """A value of visible ASCII without spaces. Raises BadHeaderError."""
    if not _SAFE_ID.fullmatch(text) or len(text) > 900:
        raise BadHeaderError("a header takes visible ASCII here")
    return text.encode("ascii")


def _part_head(kind: bytes) -> bytes:
    return (
        b"\r\n--%b\r\nContent-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        % (BOUNDARY, kind)
    )
