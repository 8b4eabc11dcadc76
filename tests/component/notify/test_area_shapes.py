"""A CAP message about a place that is known by its area alone holds the area's shape, as the registry has it."""

from pathlib import Path
from typing import Any, Final

import msgspec
from lxml import etree

from schemas.assessments import ResolvedPlace
from schemas.codec import encode
from schemas.events import RegistryChanged
from schemas.topics import REGISTRY
from tests.component.notify.running import hook, running_notify
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT

AT: Final = "2016-05-08T08:00:00Z"
FEATURE: Final[dict[str, Any]] = {
    "type": "Feature",
    "id": "plain",
    "properties": {"name": {"en": "Plain"}},
    "geometry": {"type": "Polygon", "coordinates": [[[36.0, 35.0], [37.0, 35.0], [37.0, 36.0], [36.0, 35.0]]]},
}
SHAPE: Final = "35.000000,36.000000 35.000000,37.000000 36.000000,37.000000 35.000000,36.000000"


def shapes(xml: bytes) -> set[str]:
    return {str(one.text) for one in etree.fromstring(xml).iterfind(".//{*}polygon")}


async def test_a_named_area_is_sent_and_shown_with_its_shape(tmp_path: Path, receiver: Receiver) -> None:
    async with running_notify(tmp_path) as notify:
        fact = RegistryChanged("areas", "plain", 1, AT, FEATURE, True)
        await notify.runtime.bus.publish([encode(REGISTRY, fact, key="areas/plain", id="1-areas/plain", time=AT)])
        await notify.subscribe("tw_operator", **hook(receiver, format="cap"), verified=True)
        await notify.settle()
        await notify.push(msgspec.structs.replace(ALERT, place=ResolvedPlace(area="plain")))
        cap = [sent.body for sent in receiver.received(challenges=True) if sent.body.startswith(b"<?xml")]
        assert [shapes(xml) for xml in cap] == [{SHAPE}]
        wanted = {"accept": "application/cap+xml", "authorization": "Bearer tw_monitor"}
        shown = await notify.api.get(f"/v1/alerts/{ALERT.id}", headers=wanted)
        assert shapes(shown.content) == {SHAPE}
