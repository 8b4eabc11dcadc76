"""The test message that ``POST /v1/subscriptions/{id}/test`` sends."""

from typing import Final

from schemas.wording.words import words
from services.notify.kinds.kind import Kind, Material
from services.notify.render.json import write_body
from services.notify.render.mime import NAME_SLOT
from services.notify.render.page import MessagePage


def _body(made: Material) -> bytes:
    data = {"subscription_id": made.subscription.id, "name": made.subscription.draft.name}
    return write_body(TEST.name, made.job.created_at, data)


def _page(made: Material) -> MessagePage:
    say = words(made.language)
    lead = say.say("mail.test_lead", name=NAME_SLOT)
    return MessagePage(
        subject=say.say("mail.test_subject"),
        title=say.say("mail.test_title"),
        preview="",
        lead=(lead,),
        footer=say.say("mail.footer", name=NAME_SLOT),
    )


TEST: Final = Kind("test", bodies={"json": _body}, page=_page)
