"""The terms of a source travel along with its reports (``terms`` of the operator's tables)."""

import msgspec

from services.connectors.model import ReportDraft, RowContext, RowOutcome


def with_terms(outcome: RowOutcome, context: RowContext) -> RowOutcome:
    """The outcome of a row, its report under the terms of its source."""
    if context.tables.terms is None or not isinstance(outcome, ReportDraft):
        return outcome
    source = outcome.report.get("source", {})
    if not isinstance(source, dict):
        return outcome
    under = {**source, "terms": context.tables.terms}
    return msgspec.structs.replace(outcome, report={**outcome.report, "source": under})
