"""Proves a webhook endpoint: a 2xx answer has to echo the challenge; a Slack channel is shown a link instead."""

from typing import Final

import msgspec

from schemas.instants import HOUR
from schemas.wording.words import words
from services.notify.domain.delivery import AttemptAnswer, Judgement, judge_answer
from services.notify.domain.identity import hash_token
from services.notify.domain.subscription import Subscription, format_of
from services.notify.kinds.kind import Job, Kind, Material
from services.notify.render.json import write_body
from services.notify.render.page import MessagePage
from services.notify.render.plain import plain_name
from services.notify.render.slack import slack_body

#: Timeout of a challenge, seconds.
CHALLENGE_S: Final = 10.0


class TokenContent(msgspec.Struct, frozen=True):
    """The hash of a challenge, or of a confirmation link's token; the subscription has the token itself."""

    challenge: str


def holds(job: Job, token: str | None) -> bool:
    """Whether the message was made with this token."""
    return token is not None and job.read(TokenContent).challenge == hash_token(token)


def proves(job: Job, subscription: Subscription) -> bool:
    """Whether its answer proves the endpoint: the subscription still waits for this challenge."""
    return holds(job, subscription.nonce) and not _is_link(subscription)


def is_void(job: Job, subscription: Subscription, now: int) -> bool:
    """Expired, proved meanwhile, or replaced by a newer one."""
    until = subscription.nonce_until
    return until is None or now >= until or not holds(job, subscription.nonce)


def _is_link(subscription: Subscription) -> bool:
    """A channel of people cannot echo: they follow a link, as from a mail."""
    return format_of(subscription.draft) == "slack"


def echoes(challenge: str, answer: bytes) -> bool:
    """Whether the start of an answer holds the challenge: as JSON, as a JSON string, or bare."""
    text = answer.decode("utf-8", "replace").strip()
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        value = text
    return challenge in ((value.get("challenge"),) if isinstance(value, dict) else (value, text))


def judge_echo(answer: AttemptAnswer, subscription: Subscription) -> Judgement:
    """A 2xx answer is a success only if it echoes the challenge, or shows people a link."""
    judgement = judge_answer(answer)
    if judgement.meaning != "delivered" or _is_link(subscription):
        return judgement
    if echoes(subscription.nonce or "", answer.excerpt):
        return Judgement("delivered", "the challenge was echoed")
    return Judgement("retry", f"answered {answer.status}, but did not echo the challenge")


def _body(made: Material) -> bytes:
    data = {"subscription_id": made.subscription.id, "challenge": made.subscription.nonce or ""}
    return write_body(CHALLENGE.name, made.job.created_at, data)


def _slack(made: Material) -> bytes:
    say, name = words(made.language), plain_name(made.subscription.draft.name)
    page = MessagePage(
        subject=say.say("mail.confirm_subject.channel"),
        title=say.say("mail.confirm_title.channel"),
        preview="",
        lead=(say.say("mail.confirm_lead.channel", name=name), say.say("slack.confirm_how")),
        button=(say.say("mail.confirm_button"), f"{made.public_url}/v1/confirm?token={made.subscription.nonce}"),
        notes=(say.say("mail.confirm_else"),),
    )
    return slack_body(page, made.language)


CHALLENGE: Final = Kind(
    "challenge",
    bodies={"json": _body, "slack": _slack},
    needs_proof=False,
    valid_for=24 * HOUR,
    is_void=is_void,
    judge=judge_echo,
    answer_within_s=CHALLENGE_S,
    proves=proves,
)
