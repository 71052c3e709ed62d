"""The sources that listen, as the entry points name them; light, since commands load them all."""

from producers.sources.form import Source

HL7 = Source("hl7", ("HL7 v2 消息", "HL7 v2 messages"), "popflow listen hl7")
FHIR = Source("fhir", ("FHIR R4 资源", "FHIR R4 resources"), "popflow listen http")
GATEWAY = Source("gateway", ("HTTP 网关", "HTTP gateway"), "popflow listen http")
