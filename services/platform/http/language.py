"""The language of an answer: ``?language=``, else ``Accept-Language`` (RFC 9110, 12.5.4), else what it has by default.

Source: the contract, "Keys and roles". Problem documents are for developers, and are in English.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from schemas.vocabulary import LANGUAGES, Language
from services.platform.http.problems import FieldError, Problem

PARAMETER: Final = "language"
#: Of an Accept-Language header, characters that are looked at: a browser sends some tens.
MAX_HEADER: Final = 1_000
_RANGE: Final = re.compile(
    r"[ \t]*(?P<tag>\*|[A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*"
    r"(?:[ \t]*;[ \t]*[qQ]=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)
_BY_TAG: Final[dict[str, Language]] = {language: language for language in LANGUAGES}


def preferred_language(accept: str) -> Language | None:
    """The language of ours that an Accept-Language header wants most; None where it wants none of them.

    ``ar-SY`` wants ``ar``; what is not a language range is passed over; of equals, the first counts.
    """
    weights: dict[str, float] = {}
    for part in accept[:MAX_HEADER].split(","):
        if found := _RANGE.fullmatch(part):
            tag, weight = found["tag"].lower(), float(found["q"] or 1)
            weights[tag] = max(weights.get(tag, 0.0), weight)
    wanted = {_BY_TAG[tag]: weight for tag, weight in weights.items() if tag in _BY_TAG}
    rest = {language: weights.get("*", 0.0) for language in LANGUAGES if language not in wanted}
    best = max((*wanted.items(), *rest.items()), key=lambda pair: pair[1])
    return best[0] if best[1] > 0 else None


def choose_language(request: Request, default: Language = "en") -> Language:
    """The language to answer a request in; the route's answer then says so. Raises Problem 400 for a ``language`` that
    there is not."""
    given = request.query_params.get(PARAMETER)
    if given is not None and given not in _BY_TAG:
        raise Problem(400, "Not valid", errors=[FieldError(f"/{PARAMETER}", f"must be one of: {', '.join(LANGUAGES)}")])
    accept = ",".join(request.headers.getlist("accept-language"))
    language = _BY_TAG[given] if given is not None else preferred_language(accept) or default
    request.scope[PARAMETER] = language
    return language


def language_of(request: Request) -> Language:
    """The language that was chosen for a request to a worded route."""
    chosen: Language = request.scope[PARAMETER]
    return chosen


def answer_in(request: Request, language: Language) -> None:
    """The answer is in that language, whatever was wanted."""
    request.scope[PARAMETER] = language


def tell_language(request: Request, response: Response) -> None:
    """``Content-Language`` of an answer whose language was chosen, and ``Vary``."""
    language = request.scope.get(PARAMETER)
    if language is not None:
        response.headers["content-language"] = language
        response.headers.add_vary_header("accept-language")
