"""The OpenAPI 3.1 document of the gateway, made from the contract's classes."""

from typing import Any

from schemas.events import KINDS, VOIDS
from schemas.refusals import MENDS, TITLES

_REFS = "#/components/schemas/"


def openapi(most_bytes: int, most_events: int) -> dict[str, Any]:
    """The whole document.

    Args:
        most_bytes: of a request.
        most_events: of a request.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "popflow gateway 接入网关",
            "version": "1.0.0",
            "description": "Population events of registered publishers. An event that is "
            "answered `accepted` is stored in Kafka by all replicas; nothing else is. Identity "
            "numbers are refused: persons are pseudonyms. 身份证号码一律拒收。",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {
            "/v1/events": {"post": _post(most_bytes, most_events)},
            "/v1/receipt-key": {
                "get": {
                    "operationId": "receiptKey",
                    "summary": "Public key of receipts 回执公钥",
                    "security": [],
                    "responses": {"200": _json("A JSON Web Key set", {"type": "object"})},
                }
            },
            "/health": {
                "get": {
                    "operationId": "health",
                    "summary": "Whether Kafka answers 运行状态",
                    "security": [],
                    "responses": {
                        "200": _json("It does", _HEALTH),
                        "503": _json("It does not", _HEALTH),
                    },
                }
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**_events(), "Outcomes": _OUTCOMES, "Problem": _PROBLEM},
        },
    }


_HEALTH = {"type": "object", "properties": {"kafka": {"type": "boolean"}}}


def _events() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for kind, model in KINDS.items():
        schemas[model.__name__] = model.model_json_schema(ref_template=_REFS + "{model}")
        void = VOIDS[kind]
        schemas[void.__name__] = void.model_json_schema(ref_template=_REFS + "{model}")
    schemas["Event"] = {"anyOf": [{"$ref": _REFS + name} for name in schemas]}
    return schemas


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _failure(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFS + "Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def _post(most_bytes: int, most_events: int) -> dict[str, Any]:
    event = {"$ref": _REFS + "Event"}
    many = {"type": "array", "items": event, "minItems": 1, "maxItems": most_events}
    outcomes = {"$ref": _REFS + "Outcomes"}
    replayed = {
        "Idempotency-Replayed": {
            "description": "`true` when this is the answer to an earlier request",
            "schema": {"type": "string"},
        }
    }
    return {
        "operationId": "sendEvents",
        "summary": "Send one or many events 发送事件",
        "description": f"At most {most_events} events and {most_bytes} bytes; each gets an "
        "outcome of its own. Sending an event again is always safe: it is counted once.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "A repeat with the same key and body gets the first answer; with "
                "another body 422. Kept in memory while the gateway runs.",
                "schema": {"type": "string", "maxLength": 255},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [event, many]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {**_json("All accepted 全部接收", outcomes), "headers": replayed},
            "207": {**_json("Some accepted, some refused 部分接收", outcomes), "headers": replayed},
            "400": _failure("No event in the body, or an array that is no JSON"),
            "401": _failure("No valid token 令牌无效"),
            "408": _failure("The body came too slowly"),
            "409": _failure("The first request under this key is still being worked on"),
            "413": _failure("Too large 请求过大"),
            "415": _failure("Neither JSON nor NDJSON"),
            "422": {
                "description": "None accepted, or an Idempotency-Key used for another body",
                "headers": replayed,
                "content": {
                    "application/json": {"schema": outcomes},
                    "application/problem+json": {"schema": {"$ref": _REFS + "Problem"}},
                },
            },
            "429": _failure("Too many; Retry-After says how long to wait 超过限速"),
            "503": _failure("Kafka has not confirmed; send the same again 暂未入库"),
        },
    }


_PLACE = {
    "topic": {"type": "string"},
    "partition": {"type": "integer"},
    "offset": {"type": "integer"},
}
_REFUSED = {name: {"type": "string"} for name in ("detail", "detail_zh", "mend", "mend_zh")}
_NAMED = {
    "kind": {"enum": list(KINDS)},
    "record_id": {"type": "string"},
    "revision": {"type": "integer"},
}
_OUTCOMES: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "refused", "events"],
    "properties": {
        "accepted": {"type": "integer"},
        "refused": {"type": "integer"},
        "events": {
            "type": "array",
            "description": "One outcome an event, in the order of the request",
            "items": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["index", "status", *_NAMED, *_PLACE],
                        "properties": {
                            "index": {"type": "integer"},
                            "status": {"const": "accepted"},
                            **_NAMED,
                            **_PLACE,
                        },
                    },
                    {
                        "type": "object",
                        "required": ["index", "status", "code", *_REFUSED],
                        "properties": {
                            "index": {"type": "integer"},
                            "status": {"const": "refused"},
                            "code": {
                                "enum": [code.value for code in TITLES],
                                "description": "; ".join(
                                    f"{code.value}: {MENDS[code][1]}" for code in TITLES
                                ),
                            },
                            **_REFUSED,
                        },
                    },
                ]
            },
        },
        "receipt": {
            "type": "object",
            "description": "What was accepted, signed: Ed25519 over this object's JSON without "
            "`signature`, keys sorted, no blanks, UTF-8; base64url",
            "required": ["source", "received_at", "events", "key_id", "signature"],
            "properties": {
                "source": {"type": "string"},
                "received_at": {"type": "string"},
                "events": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {**_NAMED, "sha256": {"type": "string"}, **_PLACE},
                    },
                },
                "key_id": {"type": "string"},
                "signature": {"type": "string"},
            },
        },
    },
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
