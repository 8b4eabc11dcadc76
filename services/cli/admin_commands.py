"""``trucewatch registry`` and ``trucewatch keys``. ``registry check`` alone needs no server."""

from typing import Final
from urllib.parse import quote

import click
from rich.markup import escape

from schemas.vocabulary import Role
from services.cli.ask import ask, client_options, complain, say
from services.cli.language import spoken_words
from services.client import AsyncClient

ROLES: Final[tuple[Role, ...]] = ("partner", "monitor", "operator")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--name", required=True, help="Whose key it is; incident ids depend on it, rotating the key does not.")
@click.option("--expires-at", help="RFC 3339 time from which on it no longer counts.")
@client_options
def create(role: Role, name: str, expires_at: str | None, url: str, key: str | None) -> None:
    """Make an API key and print it, once: it is kept nowhere in readable form. Needs an operator's key."""
    wanted = {"name": name, "role": role} | ({"expires_at": expires_at} if expires_at else {})
    made = ask(url, key, lambda api: api.request("POST", "/v1/keys", wanted)).body
    complain(escape(spoken_words().say("keys.made", id=made["id"], name=name, role=role)))
    click.echo(made["key"])


@keys.command("list")
@client_options
def list_keys(url: str, key: str | None) -> None:
    """Every API key with its id, role and name. Needs an operator's key."""

    spoken = spoken_words()

    async def tell(api: AsyncClient) -> None:
        async for one in api.pages("/v1/keys"):
            told = [one["id"], f"{one['role']:8}", one["name"]]
            if one.get("expires_at"):
                told.append(spoken.say("keys.expires", at=one["expires_at"]))
            if one.get("revoked_at"):
                told.append(spoken.say("keys.was_revoked", at=one["revoked_at"]))
            say(escape("  ".join(told)))

    ask(url, key, tell)


@keys.command()
@click.argument("id")
@client_options
def revoke(id: str, url: str, key: str | None) -> None:
    """Revoke the API key ID: it no longer counts, and its open streams end. Needs an operator's key."""
    ask(url, key, lambda api: api.request("DELETE", f"/v1/keys/{quote(id, safe='')}"))
    say(escape(spoken_words().say("keys.revoked", id=id)))
