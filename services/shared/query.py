"""Query parameters: whatever an operation does not have is refused and named, before anything else is looked at."""

import difflib
from typing import Final

from starlette.requests import Request

from services.shared.http import Described, FieldError, Page, Problem
from services.shared.validation import pointer_to

#: Of a name that is sent back, characters; and how many are named.
LONGEST_NAME: Final = 100
MOST_NAMED: Final = 20


def parameters_of(described: Described) -> list[str]:
    """The names of the query parameters of an operation. Every list has pages."""
    pages = ("limit", "after") if Page in described.answers.values() else ()
    return list(dict.fromkeys((*described.query, *pages)))


async def refuse_unknown_parameters(request: Request) -> None:
    """Raises Problem 400 for a parameter that the operation does not have, or that is sent twice.

    A dependency of the whole app. Pages that are no part of the API have no description, and take whatever comes.
    """
    described = getattr(request.scope.get("endpoint"), "described", None)
    if not request.scope["query_string"] or not isinstance(described, Described):
        return
    known = parameters_of(described)
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = [name[:LONGEST_NAME] for name in given if name not in known][:MOST_NAMED]
    errors = [FieldError(pointer_to("", name), _explain(name, known)) for name in unknown]
    errors += [FieldError(pointer_to("", name), "sent twice") for name in known if given.count(name) > 1]
    if errors:
        raise Problem(400, "Not valid", "The query cannot be used.", errors=errors)


def _explain(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1)
    if nearest:
        return f"not a parameter of this request; did you mean {nearest[0]}?"
    return "not a parameter of this request, which has " + (", ".join(known) if known else "none")
