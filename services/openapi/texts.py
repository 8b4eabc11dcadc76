"""The words of the OpenAPI document that no declaration holds."""

from typing import Final

ABOUT: Final = """\
Reports of incidents in, judged against the truces in force at their time and place; alerts to subscribers.

Errors are problem documents (RFC 9457) with a JSON pointer to each offending field. Lists are
`{"items", "next", "has_more"}`; come back with `after=<next>`, in the same `order`. Times are RFC 3339. `from` and `to`
bound the times of a list, half-open; a filter may be repeated, and then means one of its values.

A body is at most 1 MiB (a batch 16 MiB, a registry 32 MiB), counted as unpacked where it comes with
`Content-Encoding: gzip`, and nests at most 50 deep. An answer lists the first 100 errors. An
area has at most 20,000 points and all areas 1,000,000; a party is in at most 100 coalitions.

Answers to GET over 1 kB are compressed by gzip where `Accept-Encoding` takes it. An entity tag ends in `-gzip` then;
`If-Match` takes it with and without.

A query parameter that an operation does not have, or that is sent twice, is `400`, and named.
"""
TAGS: Final = {
    "incidents": "Reports as partners post them.",
    "assessments": "What was decided on each report, and why.",
    "registry": "What reports are judged by: truces, parties, areas, places.",
    "alerts": "What subscribers are told.",
    "subscriptions": "Who is told, of what, how and when.",
    "operators": "Keys, audit, dead letters, status, probes.",
}
#: Each status that many operations share, in words.
ABOUT_REFUSALS: Final = {
    304: "Nothing changed since the version that `If-None-Match` names.",
    400: "The request cannot be read: its query, its headers, its body.",
    401: "The key is missing or not valid.",
    403: "The key's role may not do this.",
    404: "There is no such thing, or not for this key.",
    408: "The request was sent too slowly; the connection is closed.",
    409: "What stands does not allow it now.",
    410: "It was there once: a position of a log that was replaced, for one; `errors` and `detail` say where to begin.",
    412: "`If-Match` or `If-None-Match` does not fit what stands.",
    413: "The body is too large, or would be once it is unpacked.",
    415: "The media type or the content encoding of the body is not read here.",
    422: "The body can be read, and is not valid; `errors` says where.",
    429: "Too often; `Retry-After` says when it may be asked again.",
    431: "The head of the request is too large; the connection is closed.",
    500: "This is our fault, and has been logged.",
    503: "Not now, for want of the database or the log, or since the process is stopping; `Retry-After` says when.",
}
#: The tag of an operation by the first part of its path, after the version where it has one.
TAG_OF: Final = {
    "incidents": "incidents", "statistics": "incidents",
    "assessments": "assessments", "evaluate": "assessments", "registry": "registry",
    "parties": "registry", "presence": "registry", "areas": "registry", "places": "registry", "truces": "registry",
    "a": "alerts", "alerts": "alerts", "silences": "alerts", "feed-tokens": "alerts", "lookup": "alerts",
    "subscriptions": "subscriptions", "confirm": "subscriptions", "unsubscribe": "subscriptions",
    "block": "subscriptions", "mail-blocks": "subscriptions",
}  # fmt: skip
