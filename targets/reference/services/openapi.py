"""The OpenAPI 3.1 file, made from the table of operations and the models of bodies and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pydantic.json_schema import models_json_schema

from services.operations import CODES, Link, Operation
from services.web import Query

REF = "#/components/schemas/{model}"
ID_PATTERN = "^ord_[0-9a-f]{20}$"

_HEADERS: dict[str, dict[str, object]] = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "Idempotent-Replayed": {
        "description": "The answer was kept from an earlier request with this key.",
        "schema": {"const": "true"},
    },
    "ETag": {"description": "The order's version.", "schema": {"type": "string"}},
}
_KEY_PARAMETER: dict[str, object] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The same for every try of the same thing; it means something only to its caller and path.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def openapi(operations: Sequence[Operation], title: str, version: str) -> dict[str, object]:
    """The whole document, as JSON."""
    shapes = {success.model for operation in operations for success in operation.successes}
    bodies = {operation.body for operation in operations if operation.body}
    _, schemas = models_json_schema(
        [
            *sorted(((m, "serialization") for m in shapes), key=lambda pair: pair[0].__name__),
            *sorted(((m, "validation") for m in bodies), key=lambda pair: pair[0].__name__),
        ],
        ref_template=REF,
    )
    paths: dict[str, dict[str, object]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": dict(paths),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "<role>.<name>.<mac>"}
            },
        },
    }


def _operation(operation: Operation) -> dict[str, object]:
    described: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"For {' and '.join(operation.roles)}.",
        "security": [{"bearer": []}],
        "parameters": _parameters(operation),
        "responses": {
            **{str(success.status): _success(operation, success.status) for success in operation.successes},
            **_refusals(operation),
        },
    }
    if operation.body is not None:
        schema = {"$ref": REF.format(model=operation.body.__name__)}
        needed = any(field.is_required() for field in operation.body.model_fields.values())
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(operation: Operation) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if "{order_id}" in operation.path:
        schema = {"type": "string", "pattern": ID_PATTERN}
        found.append({"name": "order_id", "in": "path", "required": True, "schema": schema})
    if operation.method == "POST":
        found.append(_KEY_PARAMETER)
    if operation.query is not None:
        found += _query_parameters(operation.query)
    return found


def _query_parameters(query: type[Query]) -> list[dict[str, object]]:
    schema = query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(one)}
        for name, one in schema["properties"].items()
    ]


def _without_null(schema: dict[str, object]) -> dict[str, object]:
    """A query parameter is left out; there is no way to write that it is null."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return schema
    return next(choice for choice in choices if choice != {"type": "null"})


def _success(operation: Operation, status: int) -> dict[str, object]:
    success = next(one for one in operation.successes if one.status == status)
    headers = ["Idempotent-Replayed"] if operation.method == "POST" else []
    if operation.name in ("read_order", "find_order"):
        headers.append("ETag")
    described: dict[str, object] = {
        "description": success.means,
        "headers": {name: _HEADERS[name] for name in headers},
        "content": {
            "application/json": {"schema": {"$ref": REF.format(model=success.model.__name__)}},
        },
    }
    if operation.links:
        described["links"] = {link.to: _link(link) for link in operation.links}
    return described


def _link(link: Link) -> dict[str, object]:
    described: dict[str, object] = {"operationId": link.to, "parameters": link.parameters}
    if link.body:
        described["requestBody"] = link.body
    return described


def _refusals(operation: Operation) -> dict[str, object]:
    """One answer a status, with all codes that it may have."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in operation.codes:
        by_status[CODES[code].status].append(code)
    return {str(status): _refusal(status, codes) for status, codes in sorted(by_status.items())}


def _refusal(status: int, codes: list[str]) -> dict[str, object]:
    error = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"enum": codes}, "message": {"type": "string"}},
    }
    described: dict[str, object] = {
        "description": " ".join(f"`{code}`: {CODES[code].means}" for code in codes),
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["error"], "properties": {"error": error}}
            }
        },
    }
    if status in (429, 503):
        described["headers"] = {"Retry-After": {**_HEADERS["Retry-After"], "required": True}}
    return described
