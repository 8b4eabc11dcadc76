"""One identity: from any id to all the others; and what mail systems report of addresses."""

import re
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.notify.decisions import endpoints
from services.notify.http.subscriptions import MONITOR, ApiParts, audited, problems
from services.notify.http.wire import AlertNames, Bounced, BounceReport, DeliveryNames, Found, RevisionNames
from services.notify.render import atom, cap
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.names import SqlNames
from services.notify.use_cases.change_subscription import change_subscription
from services.notify.use_cases.take_alerts import Logged
from services.platform.http.bodies import parse, read_body
from services.platform.http.describe import describe
from services.platform.http.problems import FieldError, Problem
from services.platform.http.reply import reply
from services.platform.http.routes import make_router, principal_of

_ATOM: Final = re.compile(r"urn:trucewatch:alert:(.+):\d+")
_CAP: Final = re.compile(r"trucewatch-(.+)-\d+")
#: CloudEvents of incidents, assessments and alerts: the id of the thing, and a number.
_EVENT: Final = re.compile(r"(.+)-\d+")
MAX_ID: Final = 400


def build_lookup_router(parts: ApiParts, log: SqlAlertLog, names: SqlNames) -> APIRouter:
    router = make_router("alerts")

    @router.get("/v1/lookup")
    @describe(
        "Every name of what an id names: a report, an alert, a webhook-id, a CloudEvents id, a CAP identifier, a "
        "Message-ID, the id of an Atom entry",
        answers={200: Found},
        query={"id": "Any of these."},
        problems=(404,),
        roles=MONITOR,
    )
    async def lookup(request: Request) -> Response:
        principal = principal_of(request)
        asked = request.query_params.get("id", "").strip()
        if not asked or len(asked) > MAX_ID or "\0" in asked:
            raise Problem(400, "Not valid", errors=[FieldError("/id", "an id")])
        owner = principal.limited_to
        kind, found = await _find(asked, owner, log, names)
        alerts = [await _names(alert, owner, log, names) for alert in found]
        (first, *_) = await log.revisions(found[0])
        return reply(Found(kind, first.alert.incident_id, alerts))

    @router.post("/v1/bounces")
    @describe(
        "What a mail system reports of an address: a bounce or a complaint turns it off",
        body=BounceReport,
        answers={200: Bounced},
        example={"type": "bounce", "address": "desk@example.org", "detail": "550 5.1.1 no such user"},
        roles=("operator",),
    )
    async def bounce(request: Request) -> Response:
        principal = principal_of(request)
        report = parse(await read_body(request), BounceReport)
        if (report.address is None) == (report.message_id is None):
            raise Problem(422, "Not valid", errors=[FieldError("/address", "either an address or a message_id")])
        given = {"address": report.address, "message_id": report.message_id, "detail": report.detail}
        nul = [name for name, text in given.items() if text is not None and "\0" in text]
        if nul:
            raise Problem(422, "Not valid", errors=[FieldError(f"/{name}", "holds a NUL character") for name in nul])
        if report.type == "delay":
            return reply(Bounced([]))
        now = parts.clock.now()
        reason = f"{report.type}: {report.detail}" if report.detail else report.type
        turned_off = await names.subscriptions_at(report.address, report.message_id)
        for id in turned_off:
            also = audited(principal, now, f"subscription.{report.type}", id)
            with problems():
                await change_subscription(
                    id, lambda s: endpoints.turn_off(s, report.type, now, reason),
                    store=parts.store, directory=parts.directory, also=also,
                )  # fmt: skip
        return reply(Bounced(list(turned_off)))

    return router


async def _find(asked: str, owner: str | None, log: SqlAlertLog, names: SqlNames) -> tuple[str, Sequence[str]]:
    """The kind of an id, and the alerts that it is about. Raises Problem 404."""
    if await log.revisions(asked):
        return "alert", [asked]
    if of_incident := await _of_incident(asked, log):
        return "incident", of_incident
    if told := await names.alerts_by_delivery(asked, owner):
        return "message", told
    if threaded := await names.alerts_of_thread(asked):
        return "thread", threaded
    for kind, pattern in (("atom", _ATOM), ("cap", _CAP), ("event", _EVENT)):
        match = pattern.fullmatch(asked)
        if match is None:
            continue
        if await log.revisions(match[1]):
            return kind, [match[1]]
        if kind == "event" and (of_incident := await _of_incident(match[1], log)):
            return kind, of_incident
    raise Problem(404, "Not found", "No alert goes by this id, or caused a message of yours that does.")


async def _of_incident(incident: str, log: SqlAlertLog) -> list[str]:
    return list(dict.fromkeys(entry.alert.id for entry in await log.of_incident(incident)))


async def _names(alert: str, owner: str | None, log: SqlAlertLog, names: SqlNames) -> AlertNames:
    revisions: Sequence[Logged] = await log.revisions(alert)
    sent = await names.deliveries_of(alert, owner)
    return AlertNames(
        id=alert,
        thread=revisions[0].alert.thread,
        revisions=[
            RevisionNames(
                revision=e.alert.revision,
                status=e.alert.status,
                event_id=e.event_id,
                cap_identifier=cap.cap_id(alert, e.alert.revision),
                atom_id=atom.entry_id(alert, e.alert.revision),
            )
            for e in revisions
        ],
        deliveries=[DeliveryNames(d.id, d.subscription, d.type, d.mail_id) for d in sent],
    )
