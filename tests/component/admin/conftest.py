"""Ingest with the administration beside it, for each test."""

from tests.component.ingest.conftest import ingest

__all__ = ["ingest"]
