"""ADT messages as a Chinese hospital sends them, written field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = Mapping[int, str]

PATIENT = "320502195006150016"
MOTHER = "320508199502280027"


def segment(name: str, fields: Fields) -> str:
    """One segment with the fields given by number."""
    written = [fields.get(number, "") for number in range(1, max(fields, default=0) + 1)]
    return "|".join([name, *written])


def header(event: str, control: str, charset: str = "UNICODE UTF-8", **more: str) -> str:
    fields = {
        3: "HIS",
        4: "H7",
        5: "POPFLOW",
        6: "CITY",
        7: more.get("written", "20260306100000"),
        9: f"ADT^{event}^ADT_A01",
        10: control,
        11: more.get("processing", "P"),
        12: more.get("version", "2.5"),
        18: charset,
    }
    # MSH-1 is the separator itself.
    return "MSH|^~\\&|" + "|".join(fields.get(number, "") for number in range(3, 19))


def pid(fields: Fields | None = None, *, number: str = PATIENT, case: str = "BA00123") -> str:
    return segment(
        "PID",
        {
            1: "1",
            3: f"{case}^^^H7^MR~{number}^^^GA^NI",
            5: "张^三",
            7: "19500615",
            8: "M",
            11: "人民路1号^^苏州^江苏^215000^CHN^H^^320508~某路^^南通^江苏^226000^CHN^L^^320602",
            **(fields or {}),
        },
    )


def pv1(fields: Fields | None = None) -> str:
    return segment(
        "PV1",
        {
            1: "1",
            2: "I",
            3: "W1^101^1^H7",
            19: "ZY20260001",
            36: "1",
            44: "20260301090000",
            45: "20260305100000",
            47: "8123.00",
            **(fields or {}),
        },
    )


def message(*segments: str) -> str:
    return "".join(f"{one}\r" for one in segments)


def discharge(control: str = "D1", event: str = "A03", number: str = PATIENT, **more: Any) -> str:
    """A03 of an insured patient with two diagnoses."""
    return message(
        header(event, control, **more.get("header", {})),
        segment("EVN", {1: event, 2: more.get("recorded", "20260305101500")}),
        pid(more.get("pid"), number=number, case=more.get("case", "BA00123")),
        pv1(more.get("pv1")),
        segment("DG1", {1: "1", 3: "J18.900^肺炎^I10", 6: "F", 15: "1"}),
        segment("DG1", {1: "2", 3: "I10.x00x002^高血压^I10", 6: "F", 15: "2"}),
        segment("IN1", {1: "1", 2: "01", 15: "01"}),
        segment("ZCN", {1: more.get("stay", "1"), 2: "7000.00", 3: "4900.00"}),
    )


def newborn(control: str = "N1", event: str = "A01", certificate: str = "B3205080001") -> str:
    """A01 of a child born here, its mother beside."""
    return message(
        header(event, control, written="20260302083000"),
        segment("EVN", {1: event, 2: "20260302083000"}),
        segment(
            "PID",
            {
                1: "1",
                3: f"BB0001^^^H7^MR~{certificate}^^^GA^BCT",
                5: "李^之女",
                7: "20260301201500",
                8: "F",
                11: "路^^苏州^^^CHN^H^^320583~路^^苏州^^^CHN^L^^320583",
                24: "Y",
                25: "2",
            },
        ),
        segment(
            "NK1", {1: "1", 2: "李^四", 3: "MTH", 16: "19950228", 33: "320508199502280027^^^GA^NI"}
        ),
        segment("PV1", {1: "1", 2: "I", 4: "N", 19: "ZY20260002", 44: "20260301201500"}),
        segment("OBX", {1: "1", 2: "NM", 3: "8339-4^Birth weight^LN", 5: "2430", 6: "g", 11: "F"}),
        segment("OBX", {1: "2", 2: "NM", 3: "11884-4^GA^LN", 5: "36", 6: "wk", 11: "F"}),
        segment("DG1", {1: "1", 3: "Q21.100^房间隔缺损^I10", 6: "F"}),
    )


def framed(text: str, codec: str = "utf-8") -> bytes:
    """Between MLLP's marks."""
    return b"\x0b" + text.encode(codec) + b"\x1c\r"
