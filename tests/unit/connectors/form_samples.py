"""Submissions as KoboToolbox, ODK Central and Ushahidi send them, with the tables of one form. No real event.

``PERSONAL`` are the values in them that may reach neither the database nor the log.
"""

from typing import Any, Final
from zoneinfo import ZoneInfo

from services.connectors.model import AdapterMap, RowContext

PERSONAL: Final = (
    "collector_7", "collect:PSEUDONYM", "+963-PSEUDONYM-1", "supervisor_1", "Collector 12", "someone@example.org",
    "A Person", "+963-PSEUDONYM", "0f0f0f0f0f0f4f0f8f0f0f0f0f0f0f0f",
)  # fmt: skip
ZONE: Final = ZoneInfo("Asia/Damascus")
PARTIES: Final = {"syrian_government": "Syrian government", "opposition": "opposition", "civilians": "civilians"}
CHOICES: Final = {"perpetrators": PARTIES, "targets": PARTIES}
KOBO_FIELDS: Final = {
    "occurred": "incident/when", "act": "incident/what", "location": "incident/where",
    "location.place": "incident/place_name", "perpetrators": "incident/by", "targets": "incident/against",
    "sites": "incident/sites", "claims": "incident/said_to_be", "casualties.killed": "incident/killed",
    "casualties.injured": "incident/injured", "description": "incident/account",
}  # fmt: skip
ODK_FIELDS: Final = {
    "occurred": "occurred", "act": "what", "location": "where", "location.place": "place_name", "perpetrators": "by",
    "targets": "against", "casualties.killed": "killed", "casualties.injured": "injured", "description": "account",
}  # fmt: skip
USHAHIDI_FIELDS: Final = {
    "act": "act-uuid", "location": "loc-uuid", "perpetrators": "party-uuid", "targets": "target-uuid",
}  # fmt: skip
ATTACHMENT: Final = "https://kf.kobotoolbox.example/api/v2/assets/aTruceForm0000000001/data/990001/attachments/1/"


def context(fields: dict[str, str], **tables: Any) -> RowContext:
    return RowContext(AdapterMap(fields, **{"choices": CHOICES, **tables}), ZONE)


KOBO: Final = context(KOBO_FIELDS)
ODK: Final = context(ODK_FIELDS)
USHAHIDI: Final = context(USHAHIDI_FIELDS, form="demo.example")


def kobo_submission(**changes: Any) -> dict[str, Any]:
    """The body that a REST service posts; ``None`` takes a key away."""
    submission: dict[str, Any] = {
        "_id": 990001, "formhub/uuid": "0f0f0f0f0f0f4f0f8f0f0f0f0f0f0f0f",
        "start": "2016-02-28T14:20:11.000+02:00", "end": "2016-02-28T14:26:40.000+02:00", "today": "2016-02-28",
        "username": "collector_7", "deviceid": "collect:PSEUDONYM", "phonenumber": "+963-PSEUDONYM-1",
        "incident/when": "2016-02-28T13:40:00.000+02:00", "incident/what": "mortar",
        "incident/where": "32.61889 36.10213 540.0 12.5", "incident/place_name": "Daraa town",
        "incident/by": "syrian_government", "incident/against": "opposition civilians", "incident/sites": "hospital",
        "incident/killed": "2", "incident/injured": "", "incident/said_to_be": "self_defence",
        "incident/account": "SYNTHETIC. Two mortar rounds near the hospital.", "incident/photo": "1456664400000.jpg",
        "__version__": "vSYNTHETIC", "meta/instanceID": "uuid:0d1f6a52-1111-4222-8333-000000000001",
        "_xform_id_string": "aTruceForm0000000001", "_uuid": "0d1f6a52-1111-4222-8333-000000000001",
        "_attachments": [{"download_url": ATTACHMENT, "filename": "collector_7/attachments/x/1456664400000.jpg"}],
        "_status": "submitted_via_web", "_geolocation": [32.61889, 36.10213],
        "_submission_time": "2016-02-28T12:27:02", "_tags": [], "_notes": [], "_validation_status": {},
        "_submitted_by": "collector_7",
    }  # fmt: skip
    return {key: value for key, value in {**submission, **changes}.items() if value is not None}


def kobo_edited() -> dict[str, Any]:
    """The same submission after an edit and an approval, which no hook announces."""
    return kobo_submission(
        **{
            "incident/killed": "3", "_uuid": "0d1f6a52-1111-4222-8333-000000000002",
            "meta/instanceID": "uuid:0d1f6a52-1111-4222-8333-000000000002",
            "meta/deprecatedID": "uuid:0d1f6a52-1111-4222-8333-000000000001",
            "_validation_status": {"timestamp": 1456700000, "uid": "validation_status_approved",
                                   "by_whom": "supervisor_1", "label": "Approved"},
        }
    )  # fmt: skip


KOBO_REPORT: Final[dict[str, Any]] = {
    "external_id": "kobo-aTruceForm0000000001-990001", "occurred": "2016-02-28T13:40:00.000+02:00", "act": "mortar",
    "location": {"lat": 32.61889, "lon": 36.10213, "radius_km": 0.1, "place": "Daraa town"},
    "perpetrators": ["Syrian government"], "targets": ["opposition", "civilians"], "sites": ["hospital"],
    "claims": ["self_defence"], "casualties": {"killed": 2},
    "description": "SYNTHETIC. Two mortar rounds near the hospital.", "source": {"name": "field form", "grade": "B3"},
    "evidence": [ATTACHMENT],
}  # fmt: skip


def odk_id(number: int) -> str:
    return f"uuid:aaaaaaaa-0000-4000-8000-{number:012d}"


def odk_entry(number: int, *, lat: float = 34.7308, lon: float = 36.7178, **system: Any) -> dict[str, Any]:
    """One submission as OData has it."""
    return {
        "occurred": "2016-03-04T09:30:00.000+02:00", "what": "shelling",
        "where": {"type": "Point", "coordinates": [lon, lat, 490.0], "properties": {"accuracy": 8.0}},
        "place_name": "Homs", "by": "syrian_government", "against": "opposition", "killed": 0, "injured": 4,
        "account": "SYNTHETIC. Artillery.", "meta": {"instanceID": odk_id(number)}, "__id": odk_id(number),
        "__system": {
            "submissionDate": "2016-03-04T08:01:00.000Z", "updatedAt": None, "submitterId": "12",
            "submitterName": "Collector 12", "reviewState": None, "deviceId": "collect:PSEUDONYM", "edits": 0,
            "formVersion": "1", "deletedAt": None, **system,
        },
    }  # fmt: skip


ODK_PAGE: Final[dict[str, Any]] = {
    "@odata.context": "https://central.example/v1/projects/1/forms/truce.svc/$metadata#Submissions",
    "value": [
        odk_entry(1),
        odk_entry(2, reviewState="rejected", updatedAt="2016-03-05T07:00:00.000Z"),
        odk_entry(3, deletedAt="2016-03-05T07:30:00.000Z"),
        odk_entry(4, lat=152.02, lon=-73.85),
    ],
}
ODK_XML: Final = (
    '<data xmlns:jr="http://openrosa.org/javarosa" id="truce" version="1"><occurred>2016-03-04T09:30:00.000+02:00'
    "</occurred><what>shelling</what><where>34.7308 36.7178 490.0 8.0</where><place_name>Homs</place_name>"
    "<by>syrian_government</by><against>opposition</against><killed>0</killed><injured>4</injured>"
    "<account>SYNTHETIC. Artillery.</account><deviceid>collect:PSEUDONYM</deviceid>"
    f"<meta><instanceID>{odk_id(1)}</instanceID></meta></data>"
)
ODK_CREATED: Final[dict[str, Any]] = {"type": "submission.create", "id": odk_id(1), "data": {"xml": ODK_XML}}
ODK_REJECTED: Final[dict[str, Any]] = {
    "type": "submission.update", "id": odk_id(1), "data": {"reviewState": "rejected"},
}  # fmt: skip
ODK_REPORT: Final[dict[str, Any]] = {
    "external_id": "odk-aaaaaaaa-0000-4000-8000-000000000001", "occurred": "2016-03-04T09:30:00.000+02:00",
    "act": "shelling", "location": {"lat": 34.7308, "lon": 36.7178, "radius_km": 0.1, "place": "Homs"},
    "perpetrators": ["Syrian government"], "targets": ["opposition"], "casualties": {"killed": 0, "injured": 4},
    "description": "SYNTHETIC. Artillery.", "source": {"name": "field form", "grade": "B3"},
}  # fmt: skip

#: The bytes count: they are signed.
USHAHIDI_BODY: Final = (
    b'{"id":4711,"parent_id":null,"form_id":3,"user_id":null,"type":"report","title":"SYNTHETIC: shots at the crossing"'
    b',"slug":"synthetic-shots","content":"SYNTHETIC. Small-arms fire at 10:15 for ten minutes.","author_email":'
    b'"someone@example.org","author_realname":"A Person","status":"published","created":1457000000,"updated":1457000600'
    b',"locale":"ar","post_date":"2016-03-03T08:15:00+00:00","message_id":77,"values":{"act-uuid":["small_arms"],'
    b'"loc-uuid":[{"lat":36.2021,"lon":37.1343}],"party-uuid":["syrian_government"],"target-uuid":["opposition"]},'
    b'"tags":[12],"sets":[],"published_to":["admin"],"completed_stages":[1],"source":"sms","contact":"+963-PSEUDONYM",'
    b'"webhook_uuid":"9a1a1a1a-0000-4000-8000-000000000001","source_field_key":null,"destination_field_key":null}'
)
USHAHIDI_URL: Final = "https://trucewatch.example/v1/inbound/ushahidi/1"
USHAHIDI_SECRET: Final = "shared-secret-for-the-sample"
USHAHIDI_SIGNATURE: Final = "yUxo/wPLQ6d5nweoboIr9rvqinxBUlBwq3Y7MRh4BEw="
USHAHIDI_REPORT: Final[dict[str, Any]] = {
    "external_id": "ushahidi-demo.example-4711", "occurred": "2016-03-03T08:15:00+00:00", "act": "small_arms",
    "location": {"lat": 36.2021, "lon": 37.1343, "radius_km": 1}, "perpetrators": ["Syrian government"],
    "targets": ["opposition"],
    "description": "SYNTHETIC: shots at the crossing\n\nSYNTHETIC. Small-arms fire at 10:15 for ten minutes.",
    "source": {"name": "Ushahidi demo.example", "grade": "F6"}, "language": "ar",
}  # fmt: skip
