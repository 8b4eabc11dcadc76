"""The whole flow in one table: topic, payload, key, owner, retention. Source: the contract, "Events on the log"."""

from typing import Final, Literal

import msgspec

from schemas import events


class Topic(msgspec.Struct, frozen=True):
    """One topic. ``retention_h`` is in hours; a compacted topic keeps the last event of each key for ever."""

    name: str
    payload: type[msgspec.Struct]
    type: str
    key: str
    owner: Literal["ingest", "rules", "notify", "every"]
    compacted: bool = False
    retention_h: int = 24 * 14


INCIDENTS: Final = Topic("incidents", events.IncidentReported, "trucewatch.incident.reported", "incident_id", "ingest")
ASSESSMENTS: Final = Topic(
    "assessments", events.IncidentAssessed, "trucewatch.incident.assessed", "incident_id", "rules"
)
REGISTRY: Final = Topic(
    "registry", events.RegistryChanged, "trucewatch.registry.changed", "kind/id", "rules", compacted=True
)
WINDOWS: Final = Topic("windows", events.TruceScheduled, "trucewatch.truce.scheduled", "truce", "rules", compacted=True)
ALERTS: Final = Topic("alerts", events.AlertDecided, "trucewatch.alert.decided", "alert_id", "rules")
REASSESSMENTS: Final = Topic(
    "reassessments", events.ReassessmentEnded, "trucewatch.reassessment.ended", "reassessment", "rules"
)
KEYS: Final = Topic("keys", events.KeyChanged, "trucewatch.key.changed", "key id", "ingest", compacted=True)
AUDIT: Final = Topic("audit", events.OperatorActed, "trucewatch.operator.acted", "resource", "every")
#: Records that an operator retries; those that adapters could not read are on its ``.dead`` topic.
INBOUND: Final = Topic("inbound", events.RecordReceived, "trucewatch.record.received", "adapter", "ingest")
SERVICE_STATUS: Final = Topic(
    "service-status",
    events.ServiceReported,
    "trucewatch.service.reported",
    "service/instance",
    "every",
    retention_h=1,
)

TOPICS: Final[dict[str, Topic]] = {
    t.name: t
    for t in (INCIDENTS, ASSESSMENTS, REGISTRY, WINDOWS, ALERTS, REASSESSMENTS, KEYS, AUDIT, INBOUND, SERVICE_STATUS)
}
DEAD_SUFFIX: Final = ".dead"
