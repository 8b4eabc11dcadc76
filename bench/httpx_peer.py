"""httpx as ``pip install httpx`` gives it, in a process that sees it and what it needs, and nothing else of ours.

What we install beside it changes its speed: with sniffio there, it no longer tries to import it on each request.
"""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

SCRIPT = """
import asyncio, sys, time
import httpx

async def main(url, count, connections):
    numbers, body = iter(range(count)), sys.stdin.buffer.read()
    async with httpx.AsyncClient() as client:
        async def work():
            for _ in numbers:
                await client.post(url, content=body, headers={"content-type": "application/json"})
        begin = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        print(count / (time.perf_counter() - begin))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def rate(url: str, body: bytes, count: int, connections: int) -> float:
    """Requests a second. Raises subprocess.CalledProcessError where the peer fails."""
    with tempfile.TemporaryDirectory() as directory:
        for module in _needed("httpx"):
            spec = find_spec(module)
            if spec is not None and spec.origin is not None:
                source = Path(spec.origin)
                source = source.parent if source.name == "__init__.py" else source
                (Path(directory) / source.name).symlink_to(source)
        command = [sys.executable, "-S", "-c", SCRIPT, url, str(count), str(connections)]
        env = {**os.environ, "PYTHONPATH": directory}
        done = subprocess.run(command, input=body, env=env, capture_output=True, check=True)
    return float(done.stdout)


def _needed(name: str) -> set[str]:
    """The modules of a distribution and of all that it requires without extras."""
    found, left = set(), [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            plain = [line.split(";")[0] for line in requires(one) or () if "extra ==" not in line]
            left += [_name(line) for line in plain if find_spec(_name(line)) is not None]
    return found


def _name(requirement: str) -> str:
    return (
        requirement.replace("-", "_").split()[0].split("=")[0].split(">")[0].split("<")[0].split("[")[0].split("!")[0]
    )
