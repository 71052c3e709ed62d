"""FHIR R4 over HTTP: create, update, transaction and batch; OperationOutcome for every refusal.

Resources become events and are not kept, so nothing can be read back. ``If-None-Exist`` is
answered from what this process has confirmed; beyond it a repeat changes nothing either, since the
same act has the same record id.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from producers.handover import Handover, UnconfirmedError
from producers.pseudonyms import Pseudonymizer
from producers.sources import clinical
from producers.sources.clinical import MISSING, FaultError, Mapped, Sender
from producers.sources.fhir import Reporter
from producers.sources.fhir_capability import capability
from producers.sources.fhir_models import REPORTING, TYPES, Bundle, Entry
from producers.sources.fhir_pool import KNOWN, Pool
from producers.sources.gateway_http import Door, HttpError, away, media_type
from schemas.refusals import Code

MEDIA = "application/fhir+json"
_TAKEN = ("application/fhir+json", "application/json")
_MOST_ENTRIES = 2_000
_REMEMBERED = 100_000
_ISSUE_OF = {
    MISSING: "required",
    Code.SCHEMA: "value",
    Code.UNKNOWN_DISTRICT: "code-invalid",
    Code.PLAIN_IDENTITY: "security",
    Code.IMPOSSIBLE_DATE: "business-rule",
}
_ISSUE_OF_STATUS = {
    400: "structure",
    401: "login",
    404: "not-found",
    408: "timeout",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    501: "not-supported",
    503: "transient",
}


@dataclass
class Memory:
    """Identifiers of what was confirmed, as digests: they may be numbers of persons."""

    _places: OrderedDict[bytes, str] = field(default_factory=OrderedDict)

    def find(self, source: str, kind: str, query: str) -> str | None:
        """Where the one resource stands that ``identifier=system|value`` finds."""
        given = parse_qsl(query.lstrip("?"))
        if [name for name, _ in given] != ["identifier"]:
            raise HttpError(
                400, "if_none_exist", "If-None-Exist is understood as identifier=SYSTEM|VALUE only."
            )
        system, bar, value = given[0][1].rpartition("|")
        return self._places.get(_digest(source, kind, system if bar else "", value))

    def keep(self, source: str, resource: Any, place: str) -> None:
        """Remember a confirmed resource by each of its identifiers."""
        for one in resource.identifier:
            for system in {one.system, ""}:
                digest = _digest(source, resource.resourceType, system, one.value)
                self._places[digest] = place
                self._places.move_to_end(digest)
        while len(self._places) > _REMEMBERED:
            self._places.popitem(last=False)


@dataclass
class _Work:
    """One resource to be reported, on its way through a request."""

    resource: Any
    full_url: str = ""
    method: str = "POST"
    if_none_exist: str = ""
    place: str = ""
    mapped: Mapped | None = None
    outcome: dict[str, Any] | None = None
    status: str = ""


@dataclass(frozen=True)
class Fhir:
    """The endpoints under ``/fhir``.

    Attributes:
        handover: to Kafka.
        door: who may send.
        pseudonyms: under the city's key; ``None``: FHIR is not served.
        facilities: hospitals and their districts.
        memory: of what was confirmed.
        today: the local day now.
        on_answer: told the status of every answer, as ``fhir_201``.
    """

    handover: Handover
    door: Door
    pseudonyms: Pseudonymizer | None
    facilities: Mapping[str, str]
    memory: Memory = field(default_factory=Memory)
    today: Callable[[], date] = clinical.today
    on_answer: Callable[[str], None] = lambda _: None

    def routes(self) -> list[Route]:
        """For the application."""
        return [
            Route("/fhir/metadata", self.metadata),
            Route("/fhir", self._guarded(self.bundle), methods=["POST"]),
            Route("/fhir/", self._guarded(self.bundle), methods=["POST"]),
            Route("/fhir/{type}", self._guarded(self.create), methods=["POST", "PUT"]),
            Route("/fhir/{type}/{id}", self._guarded(self.create), methods=["PUT"]),
            Route("/fhir/{rest:path}", self._guarded(_nothing)),
        ]

    async def metadata(self, _: Request) -> Response:
        """``GET /fhir/metadata``."""
        return _fhir(capability(datetime.now(UTC)))

    async def create(self, request: Request) -> Response:
        """``POST`` or ``PUT`` of one resource."""
        kind = request.path_params["type"]
        if kind not in REPORTING:
            raise HttpError(
                404 if kind not in TYPES else 422,
                "not_supported",
                f"Send {', '.join(REPORTING)}, or a Bundle to /fhir; other resources come along "
                "in a Bundle or contained.",
            )
        sender = self._sender(request)
        document = await self._document(request)
        resource = _parsed(KNOWN.validate_json, document)
        if resource.resourceType != kind:
            raise HttpError(400, "type_mismatch", f"The body is no {kind}.")
        work = _Work(
            resource,
            method=request.method,
            if_none_exist=request.headers.get("if-none-exist", ""),
        )
        self.door.admit(sender.source, 1)
        pool = Pool(datetime.now(UTC))
        _parsed(pool.add, resource)
        self._map(work, pool, sender)
        await self._confirm([work], sender)
        status = int(work.status[:3])
        headers = {"Location": work.place, "ETag": _etag(work)} if status == 201 else {}
        return _fhir(work.outcome, status, headers)

    async def bundle(self, request: Request) -> Response:
        """``POST /fhir``: a transaction (all or nothing) or a batch (each for itself)."""
        sender = self._sender(request)
        bundle: Bundle = _parsed(Bundle.model_validate_json, await self._document(request))
        if bundle.type not in ("transaction", "batch"):
            raise HttpError(422, "bundle_type", "The Bundle is neither a transaction nor a batch.")
        if len(bundle.entry) > _MOST_ENTRIES:
            raise HttpError(413, "too_many_entries", f"Send at most {_MOST_ENTRIES} entries.")
        self.door.admit(sender.source, max(len(bundle.entry), 1))
        pool = Pool(datetime.now(UTC), bundle.timestamp)
        whole = bundle.type == "transaction"
        works = [self._entry(raw, number, pool, whole) for number, raw in enumerate(bundle.entry)]
        for number, work in enumerate(works):
            if work.outcome is None:
                self._map(work, pool, sender, number if whole else None)
        await self._confirm(works, sender)
        entries = [_entry_answer(work) for work in works]
        kind = f"{bundle.type}-response"
        return _fhir({"resourceType": "Bundle", "type": kind, "entry": entries})

    def _entry(self, raw: Any, number: int, pool: Pool, whole: bool) -> _Work:
        """One entry read; in a batch a wrong one only fails itself."""
        try:
            entry: Entry = _parsed(Entry.model_validate_json, orjson.dumps(raw))
            if entry.request.method not in ("POST", "PUT"):
                raise HttpError(422, "not_supported", "Only POST and PUT are understood.")
            kind = entry.request.url.partition("?")[0].partition("/")[0]
            if kind != entry.resource.resourceType:
                raise HttpError(400, "type_mismatch", "request.url names another type.")
            _parsed(pool.add, entry.resource, entry.fullUrl)
        except HttpError as error:
            if whole:
                detail = f"Bundle.entry[{number}]: {error.detail}"
                raise HttpError(error.status, error.code, detail) from None
            return _Work(None, outcome=_of_http(error), status=str(error.status))
        return _Work(entry.resource, entry.fullUrl, entry.request.method, entry.request.ifNoneExist)

    def _map(self, work: _Work, pool: Pool, sender: Sender, number: int | None = None) -> None:
        """Events of one resource; a fault raises with a number (transaction), else is kept."""
        try:
            if work.method == "POST" and work.if_none_exist:
                kind = work.resource.resourceType
                known = self.memory.find(sender.source, kind, work.if_none_exist)
                if known is not None:
                    work.place, work.status = known, "200 OK"
                    work.outcome = _said("It was reported before: nothing is sent. 已上报过")
                    return
            work.mapped = Reporter(pool, sender, self.today()).report(work.resource)
        except FaultError as error:
            work.outcome = _of_fault(error, number)
            work.status = "422 Unprocessable Entity"
            if number is not None:
                raise _TransactionError(work.outcome) from None

    async def _confirm(self, works: list[_Work], sender: Sender) -> None:
        """Hand everything over at once, and say what became of each."""
        reporting = [work for work in works if work.mapped is not None]
        events = [event for work in reporting if work.mapped for event in work.mapped.events]
        try:
            await self.handover.submit(events)
        except UnconfirmedError:
            raise away() from None
        for work in reporting:
            mapped = work.mapped or Mapped()
            if mapped.events:
                work.place = f"{work.resource.resourceType}/{_number(sender.source, mapped)}"
                work.status = "201 Created" if work.method == "POST" else "200 OK"
                self.memory.keep(sender.source, work.resource, work.place)
            else:
                work.status = "200 OK"
            reported = [f"Reported: {record}" for record in mapped.records]
            work.outcome = _said(*(reported + mapped.notes or ["It came along. 已随附处理"]))

    def _sender(self, request: Request) -> Sender:
        source = self.door.publisher(request)
        if self.pseudonyms is None:
            raise HttpError(
                501,
                "no_key",
                "FHIR is not served here: start popflow listen http with --key-file and "
                "--facility.",
            )
        return Sender(source, self.pseudonyms, self.facilities)

    async def _document(self, request: Request) -> bytes:
        if media_type(request) not in _TAKEN:
            raise HttpError(415, "unsupported_media_type", f"Send {MEDIA}.")
        return await self.door.body(request)

    def _guarded(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """Errors as OperationOutcome."""

        async def guarded(request: Request) -> Response:
            try:
                answer: Response = await endpoint(request)
            except HttpError as error:
                answer = _fhir(_of_http(error), error.status, error.headers)
            except _TransactionError as error:
                answer = _fhir(error.outcome, 422)
            self.on_answer(f"fhir_{answer.status_code}")
            return answer

        return guarded


class _TransactionError(Exception):
    """One entry fails a whole transaction."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        super().__init__("transaction")
        self.outcome = outcome


async def _nothing(_: Request) -> Response:
    raise HttpError(
        404, "not_found", "Resources are not kept here: POST them, nothing can be read back."
    )


def _parsed(parse: Callable[..., Any], *given: Any) -> Any:
    """What a parser gives; a fault as 400 that names the elements."""
    try:
        return parse(*given)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(step) for step in fault['loc'])[:120]}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise HttpError(400, "structure", clinical.masked("; ".join(faults[:8])) + ".") from None
    except (orjson.JSONEncodeError, RecursionError):
        raise HttpError(400, "structure", "The resource is nested too deeply.") from None


def _digest(source: str, kind: str, system: str, value: str) -> bytes:
    text = "\0".join((source, kind, system, value))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _number(source: str, mapped: Mapped) -> str:
    """Logical id of what was reported: the same for the same act."""
    return hashlib.sha256("\0".join((source, *mapped.records)).encode()).hexdigest()[:32]


def _etag(work: _Work) -> str:
    events = work.mapped.events if work.mapped else []
    revision = orjson.loads(events[0].value)["revision"] if events else 1
    return f'W/"{revision}"'


def _entry_answer(work: _Work) -> dict[str, Any]:
    response: dict[str, Any] = {"status": work.status, "outcome": work.outcome}
    if work.place:
        response["location"] = work.place
    if work.mapped and work.mapped.events:
        response["etag"] = _etag(work)
    return {"response": response}


def _outcome(*issues: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def _said(*texts: str) -> dict[str, Any]:
    return _outcome(
        *(
            {"severity": "information", "code": "informational", "details": {"text": text}}
            for text in texts
        )
    )


def _of_fault(error: FaultError, number: int | None) -> dict[str, Any]:
    coding = [{"system": "urn:popflow:refusal", "code": str(error.reason)}]
    place = error.place if number is None else f"Bundle.entry[{number}].resource: {error.place}"
    return _outcome(
        {
            "severity": "error",
            "code": _ISSUE_OF.get(error.reason, "processing"),
            "details": {"coding": coding, "text": f"{error.sentence} {error.zh}".strip()},
            "diagnostics": place,
        }
    )


def _of_http(error: HttpError) -> dict[str, Any]:
    coding = [{"system": "urn:popflow:problem", "code": error.code}]
    return _outcome(
        {
            "severity": "error",
            "code": _ISSUE_OF_STATUS.get(error.status, "processing"),
            "details": {"coding": coding, "text": error.detail},
        }
    )


def _fhir(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(content), status, kept, MEDIA)
