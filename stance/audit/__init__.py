"""What in labelled data may be wrong, thin or misleading, and what to look at first."""

from stance.audit.report import Audit, audit_records
from stance.audit.suspects import Answers, Suspect

__all__ = ["Answers", "Audit", "Suspect", "audit_records"]
