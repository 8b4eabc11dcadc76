"""Query parameters: unknown ones are refused and named, before anything else is checked."""

import difflib
from typing import Final

from starlette.requests import Request

from services.platform.http.describe import Described
from services.platform.http.language import PARAMETER
from services.platform.http.problems import FieldError, Problem, pointer_to

#: Of a name that is sent back, characters; and how many are named.
LONGEST_NAME: Final = 100
MOST_NAMED: Final = 20


def parameters_of(described: Described) -> list[str]:
    """The names of the query parameters of an operation."""
    listed = () if described.lists is None else described.lists.parameters
    return [*described.query, *listed, *((PARAMETER,) if described.worded else ())]


def refuse_unknown_parameters(request: Request, described: Described) -> None:
    """Raises Problem 400 for a parameter that the operation does not have, or that is sent twice and is no filter.

    Pages that are no part of the API take any.
    """
    if not request.scope["query_string"] or not described.published:
        return
    known = parameters_of(described)
    once = set(known) - set(() if described.lists is None else described.lists.filters)
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = [name[:LONGEST_NAME] for name in given if name not in known][:MOST_NAMED]
    errors = [FieldError(pointer_to("", name), _explain(name, known)) for name in unknown]
    errors += [FieldError(pointer_to("", name), "sent twice") for name in once if given.count(name) > 1]
    if errors:
        raise Problem(400, "Not valid", "The query cannot be used.", errors=errors)


def read_flag(request: Request, name: str) -> bool:
    """Whether a parameter is true; left out, it is not. Raises Problem 400."""
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise Problem(400, "Not valid", errors=[FieldError(f"/{name}", "true or false")])
    return text in ("true", "1")


def _explain(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1)
    if nearest:
        return f"not a parameter of this request; did you mean {nearest[0]}?"
    return "not a parameter of this request, which has " + (", ".join(known) if known else "none")
