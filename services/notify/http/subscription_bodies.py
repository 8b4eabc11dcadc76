"""The bodies of requests about subscriptions, read and checked: a draft, a change of one, an owner, an overlap."""

from typing import Any, Final

import msgspec

from schemas.instants import DAY
from services.notify.domain.durations import parse_duration
from services.notify.domain.own_headers import fill_in, find_header_faults
from services.notify.domain.subscription import Draft, Webhook, find_faults
from services.notify.http.wire import OwnerRequest, RotateRequest
from services.notify.use_cases.hold_ownerless import READERS
from services.platform.http.bodies import parse
from services.platform.http.problems import FieldError, Problem
from services.platform.outbound.address import Policy, RefusedTargetError, check_url
from services.platform.security.keys import KeyRing, Principal

LONGEST_OVERLAP: Final = 30 * DAY


def read_owner(body: bytes, keys: KeyRing) -> Principal:
    """Raises Problem 400, 422 for a key that is unknown, revoked, expired or may not have subscriptions."""
    found = keys.find_by_id(parse(body, OwnerRequest).key)
    if found is None or found.role not in READERS:
        raise Problem(
            422, "Not valid", errors=[FieldError("/key", "not the id of a valid key of a monitor or operator")]
        )
    return found


def read_overlap(body: bytes) -> int:
    """How long both secrets sign, in microseconds. Raises Problem 400, 422."""
    wanted = parse(body or b"{}", RotateRequest)
    try:
        overlap = parse_duration(wanted.overlap)
    except ValueError as error:
        raise Problem(422, "Not valid", errors=[FieldError("/overlap", str(error))]) from error
    if overlap > LONGEST_OVERLAP:
        raise Problem(422, "Not valid", errors=[FieldError("/overlap", "30 days at most")])
    return overlap


def read_draft(body: bytes, policy: Policy, principal: Principal, was: Draft | None = None) -> Draft:
    """Raises Problem 400 or 422 with every bad field, 403 for a proof that only an operator may give."""
    draft = parse(body, Draft)
    faults = [FieldError(pointer, detail) for pointer, detail in find_faults(draft)]
    if isinstance(draft.channel, Webhook):
        channel, unknown = fill_in(draft.channel, None if was is None else was.channel)
        draft = msgspec.structs.replace(draft, channel=channel)
        faults += [FieldError(*fault) for fault in (*unknown, *find_header_faults(channel))]
        try:
            check_url(channel.url, policy)
        except RefusedTargetError as error:
            faults.append(FieldError("/channel/url", str(error)))
    if faults:
        raise Problem(422, "Not valid", errors=faults)
    if draft.verified and principal.role != "operator":
        if was is None or not was.verified:
            raise Problem(403, "Not allowed", "Only an operator may declare a subscription verified.")
        if draft.channel != was.channel:
            draft = msgspec.structs.replace(draft, verified=False)
    return draft


def merge_patch(target: Any, change: Any) -> Any:
    """RFC 7396. A channel of another type replaces the whole channel."""
    if not isinstance(change, dict):
        return change
    merged = dict(target) if isinstance(target, dict) else {}
    if "type" in change and change["type"] != merged.get("type"):
        merged = {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
