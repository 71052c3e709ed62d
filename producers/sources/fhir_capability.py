"""What the FHIR endpoint can do, as FHIR says it."""

from datetime import datetime
from typing import Any

from producers.sources.fhir_models import FHIR_VERSION, REPORTING

_SAID = {
    "Encounter": "A finished inpatient stay is a discharge; cancelled or entered-in-error "
    "withdraws it. With Patient, Condition, Coverage and Organization, contained or in one Bundle.",
    "Patient": "With a birth certificate (BCT) and a RelatedPerson MTH: a birth. Deceased, with a "
    "death certificate (DC): a death.",
    "Observation": "Birth weight 8339-4, weeks of gestation 11884-4, parity 11977-6, cause of "
    "death 79378-6; together with the Patient.",
}


def capability(now: datetime) -> dict[str, Any]:
    """The CapabilityStatement."""
    resources = [
        {
            "type": kind,
            "documentation": _SAID[kind],
            "interaction": [{"code": "create"}, {"code": "update"}],
            "versioning": "no-version",
            "readHistory": False,
            "updateCreate": True,
            "conditionalCreate": True,
            "conditionalUpdate": True,
        }
        for kind in REPORTING
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": now.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "popflow"},
        "implementation": {"description": "popflow: resources become population events"},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Resources are turned into events and not kept: no read.",
                "security": {"description": "Bearer token of a publisher"},
                "resource": resources,
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
