"""The receivers of docs/webhooks.md, as they stand there, against the signatures that we send."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from services.notify.domain.signing import parse_secret, sign

PAGE: Final = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER: Final = "whsec_" + "A" * 32
BODY: Final = '{"type": "alert.raised", "data": {"headline": "قصف – обстрел"}}'.encode()

#: Put behind the code of the page: it reads the body, and prints yes or no.
PYTHON: Final = """
import sys
print("yes" if verify(*sys.argv[1:], sys.stdin.buffer.read()) else "no")
"""
JAVASCRIPT: Final = """
console.log(verify(...process.argv.slice(2), require("node:fs").readFileSync(0)) ? "yes" : "no");
"""
GO: Final = """package main

import ("fmt"; "io"; "os")

func main() {
	body, _ := io.ReadAll(os.Stdin)
	if Verify(os.Args[1], os.Args[2], os.Args[3], os.Args[4], body) { fmt.Println("yes") } else { fmt.Println("no") }
}
"""
JAVA: Final = """
class Main {
    public static void main(String[] a) throws Exception {
        System.out.println(Webhooks.verify(a[0], a[1], a[2], a[3], System.in.readAllBytes()) ? "yes" : "no");
    }
}
"""
PHP: Final = """
array_shift($argv);
echo verify(...[...$argv, file_get_contents('php://stdin')]) ? "yes\\n" : "no\\n";
"""


def example(language: str) -> str:
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(code)


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def python(folder: Path) -> list[str]:
    write(folder, {"receiver.py": example("python") + PYTHON})
    return [sys.executable, str(folder / "receiver.py")]


def javascript(folder: Path) -> list[str]:
    write(folder, {"receiver.cjs": example("javascript") + JAVASCRIPT})
    return ["node", str(folder / "receiver.cjs")]


def go(folder: Path) -> list[str]:
    write(folder, {"verify.go": example("go"), "main.go": GO, "go.mod": "module receiver\n\ngo 1.20\n"})
    subprocess.run(["go", "build", "-o", "receiver", "."], cwd=folder, check=True)
    return [str(folder / "receiver")]


def java(folder: Path) -> list[str]:
    write(folder, {"Main.java": example("java") + JAVA})
    subprocess.run(["javac", "Main.java"], cwd=folder, check=True)
    return ["java", "-cp", str(folder), "Main"]


def php(folder: Path) -> list[str]:
    write(folder, {"receiver.php": example("php") + PHP})
    return ["php", str(folder / "receiver.php")]


@pytest.mark.parametrize(
    ("tool", "build"),
    [(sys.executable, python), ("node", javascript), ("go", go), ("javac", java), ("php", php)],
    ids=["Python", "JavaScript", "Go", "Java", "PHP"],
)
def test_the_example_accepts_ours_and_refuses_the_rest(
    tmp_path: Path, tool: str, build: Callable[[Path], list[str]]
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on this machine; the project itself does not need it")
    command, key, now = build(tmp_path), parse_secret(SECRET), int(time.clock_gettime(time.CLOCK_REALTIME))

    def answer(signatures: str, *, at: int = now, body: bytes = BODY) -> str:
        told = subprocess.run(
            [*command, SECRET, "msg_1", str(at), signatures], input=body, capture_output=True, check=True
        )
        return told.stdout.decode().strip()

    ours = sign([key], "msg_1", now, BODY)
    assert answer(ours) == "yes"
    assert answer(sign([parse_secret(OTHER), key], "msg_1", now, BODY)) == "yes"
    assert answer(sign([parse_secret(OTHER)], "msg_1", now, BODY)) == "no"
    assert answer(ours, body=BODY + b" ") == "no"
    assert answer(ours, at=now + 1) == "no"
    assert answer(sign([key], "msg_1", now - 400, BODY), at=now - 400) == "no"
    assert answer("") == "no"
