"""An incident's assessment speaks the reader's language, in the registry's names, as the log says them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import codec
from schemas.assessments import Assessment, Reason
from schemas.envelope import Event
from schemas.events import IncidentAssessed, RegistryChanged
from schemas.topics import ASSESSMENTS, REGISTRY
from schemas.vocabulary import Language
from schemas.zones import find_zone
from services.ingest.names import KnownNames, tell
from services.platform.clock import LocalTime
from tests.component.ingest.running import RunningIngest, judged, report

AT = "2016-05-01T00:00:00Z"
CALM = {"name": {"en": "Aleppo calm", "ru": "режим тишины в Халебе"}}
CITY = {"type": "Feature", "properties": {"name": {"en": "Aleppo city", "ar": "مدينة حلب"}}, "geometry": None}
REASON = Reason("bound_perpetrator", {"party": "x", "reported": "Reds", "truce": "calm"}, "In English.")


def changed(kind: Any, id: str, body: Any, version: int = 1) -> Event:
    fact = RegistryChanged(kind, id, version, AT, body, True)
    return codec.encode(REGISTRY, fact, key=f"{kind}/{id}", id=f"{version}-{kind}/{id}", time=AT)


def with_reasons(event: Event, reasons: Sequence[Reason]) -> Event:
    fact: IncidentAssessed = codec.decode(event)
    told = msgspec.structs.replace(fact.assessment, reasons=tuple(reasons))
    return codec.encode(ASSESSMENTS, IncidentAssessed(fact.sequence, told), key=event.key, id=event.id, time=AT)


async def test_the_assessment_of_an_incident_speaks_the_readers_language(ingest: RunningIngest) -> None:
    posted = (await ingest.partner.post("/v1/incidents", json=report())).json()
    path = f"/v1/incidents/{posted['incident_id']}"
    await ingest.publish([changed("truces", "calm", CALM)])
    await ingest.publish([with_reasons(judged(posted["incident_id"], 1, 1), [REASON])])

    async def look(query: str, accept: str) -> tuple[str, str]:
        answer = await ingest.monitor.get(path + query, headers={"accept-language": accept})
        assert answer.status_code == 200
        return answer.headers["content-language"], answer.json()["assessment"]["reasons"][0]["text"]

    assert await look("", "") == ("en", "In English.")
    # The log is heard at its own pace.
    while "режим тишины в Халебе" not in (told := (await look("", "ru"))[1]):
        await ingest.runtime.bus.healthy()
    assert told.startswith("Исполнитель — «x»")
    assert (await look("?language=ar", "ru"))[0] == "ar"
    assert (await ingest.monitor.get(f"{path}?language=tr")).status_code == 400


async def told_by(*events: Event, language: Language = "ru", reason: Reason = REASON) -> str:
    names = KnownNames(LocalTime(find_zone("Asia/Damascus")))
    for event in events:
        await names.follow(event)
    kept: IncidentAssessed = codec.decode(with_reasons(judged("i", 1, 1), [reason]))
    found = msgspec.json.decode(tell(msgspec.json.encode(kept.assessment), names, language), type=Assessment)
    return found.reasons[0].text


async def test_an_older_version_that_comes_again_changes_no_name() -> None:
    newer, older = changed("truces", "calm", CALM, 2), changed("truces", "calm", {"name": {"ru": "прежнее"}}, 1)
    assert "режим тишины" in await told_by(newer, older)
    assert "режим тишины" in await told_by(newer, changed("truces", "calm", None, 3))
    assert "прежнее" in await told_by(newer, changed("truces", "calm", {"name": {"ru": "прежнее"}}, 3))


async def test_an_area_is_named_by_its_properties() -> None:
    reason = Reason("excluded_group_present", {"party": "x", "area": "city"}, "In English.")
    assert "مدينة حلب" in await told_by(changed("areas", "city", CITY), language="ar", reason=reason)


def test_an_assessment_of_an_unforeseen_shape_is_shown_as_it_stands() -> None:
    assert tell(b'{"verdict":"violation"}', KnownNames(LocalTime(find_zone("UTC"))), "ar") == b'{"verdict":"violation"}'
