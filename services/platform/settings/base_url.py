"""The address of a process, as a URL."""


def base_url(host: str, port: int) -> str:
    """Where a process that listens on ``host`` is reached; an IPv6 address stands in brackets (RFC 3986, RFC 6874)."""
    return f"http://[{host.replace('%', '%25')}]:{port}" if ":" in host else f"http://{host}:{port}"
