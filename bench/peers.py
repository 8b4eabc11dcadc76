"""The peers: the same job done the way that people do it, measured in the same run."""

from datetime import datetime
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field


class PostedPlace(BaseModel):
    place: str | None = None
    lat: float | None = Field(None, ge=-90, le=90)
    lon: float | None = Field(None, ge=-180, le=180)
    radius_km: float | None = Field(None, gt=0)
    area: str | None = None


class Hurt(BaseModel):
    killed: int | None = None
    injured: int | None = None


class Reporter(BaseModel):
    name: str
    grade: str | None = Field(None, pattern=r"^[A-F][1-6]$")
    url: str | None = None


class Day(BaseModel):
    date: str


class Posted(BaseModel):
    """The same report, as an idiomatic FastAPI service would shape it."""

    external_id: str
    occurred: datetime | Day
    act: Literal["shelling", "airstrike", "mortar", "rocket", "small_arms"]
    location: PostedPlace
    perpetrators: list[str] = []
    targets: list[str] = []
    casualties: Hurt = Hurt()
    claims: list[str] = []
    sites: list[str] = []
    aggregate: bool = False
    description: str = ""
    source: Reporter
    evidence: list[str] = []
    language: str | None = None


echo = FastAPI()


@echo.post("/v1/incidents", status_code=202)
async def accept(report: Posted) -> Posted:
    """Validate the report and give it back; keep nothing."""
    return report
