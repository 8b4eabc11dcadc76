"""Which addresses a request to others may reach: the pure half of the guard against server-side request forgery.

Every address is refused unless it is public, or lies in a network that the operator opened. The tables follow
the IANA special-purpose registries (RFC 6890 and its updates); anything in IPv6 outside 2000::/3 is refused
without a table, which covers loopback, v4-mapped, NAT64, unique local, link-local and multicast.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: Ports that a request to a public address may name. Networks opened by the operator are open on every port.
PUBLIC_PORTS: Final = frozenset({80, 443, 8080, 8443, 9443})
MAX_URL: Final = 2_000
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_REFUSED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata service"),
        ("169.254.0.0/16", "link-local, metadata services"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved, broadcast"),
        ("2001::/23", "protocol assignments, Teredo, ORCHID"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

#: One strict shape, so that no second parser can read another host out of the same text: no user, no
#: backslash, no white space, no percent sign in the host, nothing beyond ASCII.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[!$%&'()*+,\-./0-9:;=A-Z_a-z~]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]*)?"
    r"(?P<query>\?[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]*)?"
)
#: Names without a dot, and those reserved for local or no use (RFC 6761, 6762, 7686, 8375, 9476; ICANN: internal).
_LOCAL_NAME: Final = re.compile(
    r"^[^.]+$|\.(?:localhost|local|internal|home\.arpa|onion|alt|test|invalid)$", re.IGNORECASE
)
#: A last label like this makes every URL parser treat the host as an IPv4 address, in some spelling.
_NUMERIC_END: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)$")


class RefusedTargetError(ValueError):
    """A URL that no request may go to; the text says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``opened``: networks that may be reached although they are private, by http and on any port.

    ``proxied``: a proxy resolves names and connects. No address of a name is seen then, so a name is held to what holds
    for a public address, and names that are never public are refused.
    """

    opened: tuple[Network, ...] = ()
    ports: frozenset[int] = PUBLIC_PORTS
    proxied: bool = False


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A URL taken apart; ``host`` is a name, or an address without brackets."""

    scheme: str
    host: str
    port: int


def refuse_address(address: str, port: int, policy: Policy, *, secure: bool) -> str | None:
    """Why a connection to this address must not be made, or None. ``secure``: it will be TLS.

    Addresses with a zone are judged without it. Raises nothing: what is no address is refused.
    """
    try:
        parsed: Address = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    if any(parsed in network for network in policy.opened):
        return None
    why = _special(parsed)
    if why is not None:
        return f"{parsed} is not public ({why})"
    if port not in policy.ports:
        return f"port {port} is not among {', '.join(str(p) for p in sorted(policy.ports))}"
    return None if secure else "a public address is reached by https only"


def _special(address: Address) -> str | None:
    """The reason why an address is not public; None for a public one."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "outside global unicast"
    return next((why for network, why in _REFUSED if address in network), None)


def check_url(url: str, policy: Policy) -> WebhookTarget:
    """Take a URL apart, refusing what can be refused without looking up the name.

    Raises RefusedTargetError. A name is judged again at every connection, by the addresses it then resolves
    to.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if match is None:
        raise RefusedTargetError(
            "a URL is http or https with a plain host (a name in ASCII without a final dot, or an address), "
            f"no fragment, percent-encoded, {MAX_URL} characters at most"
        )
    scheme, host = match["scheme"], match["host"].lower()
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    _check_host(host)
    literal = host.strip("[]")
    why = _refuse_early(literal, port, policy, secure=scheme == "https")
    if why is not None:
        raise RefusedTargetError(why)
    return WebhookTarget(scheme, literal, port)


def _check_host(host: str) -> None:
    """Numbers are dotted quads in the usual spelling; names have sound labels. Raises RefusedTargetError."""
    if host.startswith("["):
        return
    if _NUMERIC_END.search(host) and not _is_address(host):
        raise RefusedTargetError("an IPv4 address is written as four decimal numbers")
    if len(host) > 253 or any(not 1 <= len(label) <= 63 for label in host.split(".")):
        raise RefusedTargetError("a host name has labels of 1 to 63 characters, 253 in all")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _refuse_early(host: str, port: int, policy: Policy, *, secure: bool) -> str | None:
    if not 1 <= port <= 65535:
        return "a port lies between 1 and 65535"
    if ":" in host or _is_address(host):
        return refuse_address(host, port, policy, secure=secure)
    if policy.proxied and _LOCAL_NAME.search(host):
        return "a name that is not public is not reached through the proxy"
    if policy.opened and not policy.proxied:
        return None
    if not secure:
        return "the URL must be https"
    return None if port in policy.ports else f"port {port} is not open to requests"
