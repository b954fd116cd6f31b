"""OpenAPI of the service, with schemas and examples made from the served run's own columns."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from modalloy.serving.access import ROUTES, TYPES, Rule
from modalloy.serving.infer_tensors import example_infer
from modalloy.serving.schema import Column, example_row
from modalloy.serving.served_model import ServedModel

Json = dict[str, Any]
FILE = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
            "required": ["base64"],
            "additionalProperties": False,
        },
        {"type": "string", "pattern": "^data:[^,]*;base64,"},
    ],
    "description": "The bytes of a file. A path or an address is refused.",
}
NUMBERS = {"type": "array", "items": {"type": ["number", "null"]}, "maxItems": 1_000_000}
CELLS: dict[str, Json] = {
    "number": {"type": "number"},
    "category": {"type": ["string", "number", "boolean"]},
    "time": {"type": ["string", "number"]},
    "any": {"type": ["string", "number"]},
    "text": {"type": "string"},
    "tokens": {"type": "array", "items": {"type": "string"}},
    "vector": NUMBERS,
    "image": FILE,
    "audio": FILE,
    "series": {"oneOf": [NUMBERS, {"type": "array", "items": NUMBERS}, *FILE["oneOf"]]},
}
REFUSALS = {
    "400": "The body is not what its Content-Type says.",
    "401": "No token, or none of this service.",
    "403": "The token is for less than this, or a page of another origin asked.",
    "409": "The served model or its deployment cannot do this.",
    "413": "Too large.",
    "415": "A body of another kind.",
    "422": "The request does not fit the model; one sentence says where.",
    "429": "Too many requests a second.",
    "503": "Too many rows wait; see Retry-After.",
    "504": "No answer in time.",
}


def described(app: FastAPI, model: ServedModel) -> Json:
    """The whole document."""
    found = get_openapi(title=app.title, version=app.version, routes=app.routes)
    bodies = bodies_of(model)
    for rule in ROUTES:
        if (path := found["paths"].get(rule.path)) is None:
            continue
        operation = path[rule.method.lower()]
        if rule.path in bodies:
            kinds = [name for name, kind in TYPES.items() if kind in rule.bodies]
            content = {kind: bodies[rule.path][kind] for kind in kinds if kind in bodies[rule.path]}
            operation["requestBody"] = {"required": True, "content": content}
        operation["responses"] |= refusals(rule)
        operation["security"] = [] if rule.role is None else [{"token": []}]
        operation["x-role"] = rule.role
        name_model(operation, model)
    found.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"}
    }
    return found


def refusals(rule: Rule) -> Json:
    """What a route may refuse."""
    schema = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "request": {"type": "string"}},
        "required": ["error", "request"],
    }
    content = {"application/json": {"schema": schema}}
    return {status: {"description": why, "content": content} for status, why in REFUSALS.items()}


def name_model(operation: Json, model: ServedModel) -> None:
    """Say which name stands for `{name}` in a path."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "name":
            parameter["schema"] = {"type": "string", "enum": [model.name]}


def bodies_of(model: ServedModel) -> dict[str, Json]:
    """Path -> content type -> schema and example of what it reads."""
    columns = model.columns
    row, example = row_schema(columns), example_row(columns)
    rows = {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": row, "minItems": 1, "maxItems": 1000},
            "key": {"type": "string", "description": "Where each row holds your own name of it."},
        },
        "required": ["rows"],
        "additionalProperties": False,
    }
    one = {
        "type": "object",
        "properties": {"row": row, "task": {"type": "string"}},
        "required": ["row"],
        "additionalProperties": False,
    }
    tasks = list(model.predictor.run.job.tasks)
    form = {
        "type": "object",
        "properties": {"rows": {"type": "string"}, **{n: {"type": "string"} for n in columns}},
        "required": ["rows"],
    }
    label = {"id": "0123456789abcdef", "task": tasks[0], "label": None}
    text = {"type": "string"}
    table = {"schema": text}
    return {
        "/predict": {
            "application/json": {"schema": rows, "example": {"rows": [example]}},
            "multipart/form-data": {"schema": form},
        },
        "/v2/models/{name}/infer": {
            "application/json": {"schema": {"type": "object"}, "example": example_infer(columns)}
        },
        "/batch": {"text/csv": table, "application/vnd.apache.parquet": table},
        "/search": {"application/json": {"schema": SEARCH, "example": {"row": 0, "top": 3}}},
        "/explain": {
            "application/json": {"schema": one, "example": {"row": example, "task": tasks[0]}}
        },
        "/feedback": {"application/json": {"schema": LABEL, "example": label}},
        "/rollback": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"why": text},
                    "required": ["why"],
                    "additionalProperties": False,
                },
                "example": {"why": "scrap went up since version 2"},
            }
        },
    }


SEARCH: Json = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "image": FILE,
        "audio": FILE,
        "row": {"type": "integer", "minimum": 0},
        "like": {"type": "object"},
        "column": {"type": "string"},
        "against": {"type": "string"},
        "where": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
        "top": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    "additionalProperties": False,
}
LABEL: Json = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "task": {"type": "string"}, "label": {}},
    "required": ["id", "task", "label"],
    "additionalProperties": False,
}


def row_schema(columns: Mapping[str, Column]) -> Json:
    """A row: one property a column."""
    return {
        "type": "object",
        "properties": {name: cell_schema(column) for name, column in columns.items()},
        "required": [name for name, column in columns.items() if column.needed],
        "additionalProperties": False,
    }


def cell_schema(column: Column) -> Json:
    """What a cell of a column may be, with what training saw of it in words."""
    said = [f"in {column.unit}"] if column.unit else []
    if column.low is not None and column.high is not None:
        said.append(f"from {column.low:.6g} to {column.high:.6g} in training")
    if column.names:
        said.append(f"names: {', '.join(column.names[:20])}")
    own = CELLS[column.kind]
    if column.kind == "vector" and column.length:
        own = own | {"minItems": column.length, "maxItems": column.length}
    found: Json = {"oneOf": [own, {"type": "null"}], "description": "; ".join(said) or column.kind}
    return found | {"examples": [column.example]}
