"""What a message that is no alert is made from: kept with the delivery as JSON, so that each attempt says the same."""

from typing import Final

import msgspec

from schemas.vocabulary import AlertStatus
from services.notify.domain.email import NoticeKind
from services.notify.domain.message import Heartbeat


class DigestContent(msgspec.Struct, frozen=True):
    """What a digest is made from: ``[start, end)``, what its alerts have in common, their net states, and the heartbeat
    that it carries, if it does."""

    start: int
    end: int
    group: dict[str, str]
    members: tuple[tuple[str, int, AlertStatus], ...]
    heartbeat: Heartbeat | None = None


class ChallengeContent(msgspec.Struct, frozen=True):
    """The hash of what a channel is to prove itself with; the subscription has the challenge or token itself."""

    challenge: str


class NoticeContent(msgspec.Struct, frozen=True):
    """Word about an endpoint: what became of it, since when, and what it answered last. It goes to the address that the
    subscription has when it is sent: kept here, that would stand in plain text."""

    kind: NoticeKind
    since: int
    answer: str


encode_content: Final = msgspec.json.Encoder().encode
decode_digest: Final = msgspec.json.Decoder(DigestContent).decode
decode_heartbeat: Final = msgspec.json.Decoder(Heartbeat).decode
decode_challenge: Final = msgspec.json.Decoder(ChallengeContent).decode
decode_notice: Final = msgspec.json.Decoder(NoticeContent).decode
