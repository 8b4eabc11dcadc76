"""The key of a request, and what its role may do."""

from collections.abc import Iterable, Sequence

from schemas.vocabulary import Role
from services.platform.http.problems import Problem
from services.platform.security.keys import KeyRing, Principal


def read_authorization(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The one Authorization header. Raises Problem 400 for several: a proxy may have read another one."""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise Problem(400, "Not valid", "Send one Authorization header.")
    return found[0].decode("latin-1") if found else None


def read_bearer(authorization: str | None) -> str | None:
    """The key that an Authorization header shows; None where it shows none."""
    scheme, _, secret = (authorization or "").partition(" ")
    return (secret.strip() or None) if scheme.lower() == "bearer" else None


def check(keys: KeyRing, authorization: str | None, roles: Sequence[Role] = ()) -> Principal:
    """Raises Problem 401 or 403. No roles: every key may."""
    secret = read_bearer(authorization)
    principal = None if secret is None else keys.find(secret)
    if principal is None:
        raise Problem(
            401,
            "Key needed",
            "Send a valid key: Authorization: Bearer <key>.",
            headers={"www-authenticate": "Bearer"},
        )
    if roles and principal.role not in roles and principal.role != "operator":
        raise Problem(403, "Not allowed", f"This needs the role {' or '.join(roles)}.")
    return principal
