"""Modules that every process of ours imports late, and files that it reads once and keeps. Imported by the process that
the others are forked from, so that each has them without doing it again."""

import encodings.idna

import certifi
import fastapi.staticfiles
import fastapi_offline
import pydantic.v1
import uvicorn.lifespan.off

from schemas.vocabulary import LANGUAGES
from schemas.wording.words import words
from services.console.desk import read_files
from services.platform.outbound.guard import public_authorities

__all__ = ["certifi", "encodings", "fastapi", "fastapi_offline", "pydantic", "uvicorn"]

for language in LANGUAGES:
    words(language)
read_files()
public_authorities()
