"""The contract for readers of other languages: JSON Schema, AsyncAPI and this folder's tables.

All of it is derived from the classes of :mod:`schemas.events` and committed beside them;
``python -m schemas.export`` writes it anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.alert import Alert
from schemas.events import KINDS, VOIDS, Event
from schemas.fields import PSEUDONYM_PATTERN
from schemas.refusals import MENDS, TITLES
from schemas.tables import with_tables
from schemas.topics import (
    ALERTS,
    JOURNAL,
    MAX_EVENT_BYTES,
    PARTITIONS,
    READINGS,
    REJECTED,
    specs,
)

JsonSchema = dict[str, Any]

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI_VERSION = "3.1.0"
CONTRACT_VERSION = "1.0.0"
KAFKA_BINDING = "0.5.0"

_KIND_TITLE = "类别 / kind"
_KNOWN_ON = (
    "The message's Kafka timestamp decides known_on, the local day (Asia/Shanghai) on which the "
    "event was accepted: LogAppendTime in production, CreateTime where history is replayed."
)
_PURPOSES = {
    JOURNAL: (
        "事件日志 / journal",
        "Accepted events, unchanged bytes and timestamp, keyed by person, kept for ever.",
    ),
    REJECTED: (
        "拒收 / rejected",
        "Refused messages, whole, plain identity numbers masked, with the reason.",
    ),
    READINGS: ("指标 / readings", "Published values of the indicators, one message a change."),
    ALERTS: ("预警 / alerts", "Alarms about indicators and about feeds that went quiet."),
}


def _published(model: type[Event], *needed: str) -> JsonSchema:
    """JSON Schema of one class as :func:`schemas.reading.read` takes it: a null is left out."""
    schema = model.model_json_schema()
    required = ["kind", *schema["required"], *needed]
    properties: JsonSchema = schema["properties"]
    properties["kind"]["title"] = _KIND_TITLE
    for name, field in properties.items():
        if name in required:
            field.pop("default", None)
        else:
            properties[name] = _optional(field)
    schema["required"] = required
    schema["properties"] = {"kind": properties.pop("kind"), **properties}
    schema["additionalProperties"] = {"type": "null"}
    return schema


def _optional(field: JsonSchema) -> JsonSchema:
    """A field that may be left out: by a null as well as by saying nothing."""
    about: JsonSchema = {
        key: field.pop(key) for key in ("title", "description", "default") if key in field
    }
    if about.get("default", ...) is None:
        del about["default"]
    choices = field.get("anyOf") or [field, {"type": "null"}]
    return {**about, "anyOf": choices}


def _definitions(kind: str) -> dict[str, JsonSchema]:
    whole, void = KINDS[kind], VOIDS[kind]
    return {whole.__name__: _published(whole), void.__name__: _published(void, "void")}


def _either(definitions: Mapping[str, JsonSchema], where: str) -> list[dict[str, str]]:
    return [{"$ref": f"{where}{name}"} for name in definitions]


def json_schemas() -> dict[str, JsonSchema]:
    """One JSON Schema (2020-12) per kind: the whole event, or its withdrawal."""
    schemas: dict[str, JsonSchema] = {}
    for kind, model in KINDS.items():
        definitions = _definitions(kind)
        schemas[kind] = {
            "$schema": DIALECT,
            "$id": f"urn:{model.topic.replace('.', ':')}:schema",
            "title": " / ".join(model.title),
            "description": f"{model.__doc__} Sent to {model.topic}. An integer is written "
            "without fraction or exponent; JSON Schema alone cannot ask for that.",
            "anyOf": _either(definitions, "#/$defs/"),
            "$defs": definitions,
        }
    return schemas


def asyncapi() -> JsonSchema:
    """AsyncAPI 3.1 document of every topic, as seen from the pipeline: it receives and sends."""
    schemas: dict[str, JsonSchema] = {}
    messages: dict[str, JsonSchema] = {}
    for kind, model in KINDS.items():
        definitions = _definitions(kind)
        schemas |= definitions
        messages[kind] = _message(
            " / ".join(model.title),
            f"{model.__doc__} {_KNOWN_ON}",
            {"anyOf": _either(definitions, "#/components/schemas/")},
        ) | {"name": kind}
    messages["rejected"] = _rejected()
    messages["alert"] = _alert()
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "id": "urn:population:events",
        "info": {
            "title": "popflow 人口事件流",
            "version": CONTRACT_VERSION,
            "description": "Population events of one city into exact, live indicators. "
            f"One JSON object (UTF-8, at most {MAX_EVENT_BYTES} bytes) per Kafka message.",
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": messages, "schemas": schemas},
        "x-refusals": [
            {
                "code": str(code),
                "title": " / ".join(TITLES[code]),
                "mend": MENDS[code][1],
                "mend_zh": MENDS[code][0],
            }
            for code in TITLES
        ],
    }


def _message(title: str, description: str, payload: JsonSchema) -> JsonSchema:
    key = {
        "type": "string",
        "pattern": PSEUDONYM_PATTERN,
        "description": "The person, so that all about one person stays in order.",
    }
    return {
        "title": title,
        "description": description,
        "contentType": "application/json",
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    }


def _rejected() -> JsonSchema:
    """A refused message: any bytes, and a header that says why."""
    codes = {str(code): TITLES[code][1] for code in TITLES}
    about = {
        "type": "object",
        "required": ["code", "reason", "topic", "partition", "offset"],
        "properties": {
            "code": {
                "type": "string",
                "enum": list(codes),
                "description": "Of several the first in this order.",
            },
            "reason": {"type": "string", "description": "What is wrong and how to mend it."},
            "topic": {"type": "string", "description": "Where it was sent."},
            "partition": {"type": "integer", "minimum": 0},
            "offset": {"type": "integer", "minimum": 0},
        },
    }
    return {
        "name": "rejected",
        "title": "拒收的消息 / refused message",
        "description": "Key and value are the refused message's own, masked.",
        "headers": {
            "type": "object",
            "required": ["refusal"],
            "properties": {"refusal": about},
        },
        "payload": {"description": "Whatever was sent, JSON or not."},
        "bindings": {"kafka": {"bindingVersion": KAFKA_BINDING}},
    }


def _alert() -> JsonSchema:
    """A change of state of an alert, as its class has it."""
    return {
        "name": "alert",
        "title": "预警 / alert",
        "description": f"{Alert.__doc__} One message for every change of its state; the same "
        "state twice in a row is a repeat.",
        "contentType": "application/json",
        "payload": Alert.model_json_schema(mode="serialization"),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Its id."},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _channels() -> JsonSchema:
    settings = {spec.name: spec.config for spec in specs()}
    kinds = list(KINDS)
    held = {model.topic: [kind] for kind, model in KINDS.items()}
    held |= {JOURNAL: kinds, REJECTED: ["rejected"], READINGS: [], ALERTS: ["alert"]}
    about = {
        model.topic: (" / ".join(model.title), f"Where publishers send every {model.title[1]}.")
        for model in KINDS.values()
    }
    channels: JsonSchema = {}
    for topic, (title, purpose) in (about | _PURPOSES).items():
        config = settings[topic]
        channels[_name(topic)] = {
            "address": topic,
            "title": title,
            "description": purpose,
            "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in held[topic]},
            "bindings": {
                "kafka": {
                    "topic": topic,
                    "partitions": PARTITIONS,
                    "topicConfiguration": {
                        "cleanup.policy": ["delete"],
                        "retention.ms": int(config["retention.ms"]),
                        "max.message.bytes": int(config["max.message.bytes"]),
                    },
                    "bindingVersion": KAFKA_BINDING,
                }
            },
        }
    return channels


def _operations() -> JsonSchema:
    received = {f"receive-{_name(m.topic)}": ("receive", m.topic) for m in KINDS.values()}
    received["receive-journal"] = ("receive", JOURNAL)
    sent = {f"send-{_name(topic)}": ("send", topic) for topic in _PURPOSES}
    return {
        name: {"action": action, "channel": {"$ref": f"#/channels/{_name(topic)}"}}
        for name, (action, topic) in (received | sent).items()
    }


def _name(topic: str) -> str:
    """``births`` of ``population.births.v1``."""
    return topic.split(".")[1]


def write(folder: Path) -> list[Path]:
    """Write ``<kind>.schema.json`` and ``asyncapi.json``; the files written.

    Args:
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    documents = {f"{kind}.schema.json": schema for kind, schema in json_schemas().items()}
    documents["asyncapi.json"] = asyncapi()
    written = []
    for name, document in documents.items():
        path = folder / name
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
        written.append(path)
    return written


def main() -> None:
    """Write the documents and the tables of this folder anew."""
    write(FOLDER / "generated")
    readme = FOLDER / "README.md"
    readme.write_text(with_tables(readme.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
