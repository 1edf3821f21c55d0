"""JSON Schema, as far as the interface needs it: what a request may hold and what an answer holds is said once, checked
by this, and shown at /openapi.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Schema", "array", "check", "nullable", "object_of", "typed"]

Schema = dict[str, Any]

_PYTHON: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def typed(kind: str, told: str = "", **more: Any) -> Schema:
    """A value of this type."""
    return {"type": kind, **({"description": told} if told else {}), **more}


def nullable(schema: Schema) -> Schema:
    """The same, or null.

    >>> nullable(typed("string"))
    {'type': ['string', 'null']}
    """
    return schema | {"type": [schema["type"], "null"]}


def array(items: Schema, told: str = "", **more: Any) -> Schema:
    """Many of these."""
    return typed("array", told, items=items, **more)


def object_of(properties: Mapping[str, Schema], *, required: tuple[str, ...] | None = None, told: str = "") -> Schema:
    """An object with these keys and no others; all of them are there unless `required` says which."""
    names = list(properties) if required is None else list(required)
    return typed("object", told, properties=dict(properties), required=names, additionalProperties=False)


def check(value: Any, schema: Schema, where: str = "body") -> None:
    """Raises `ValueError` that names the first place where a value is not what the schema says.

    >>> check({"k": "ten"}, object_of({"k": typed("integer")}))
    Traceback (most recent call last):
        ...
    ValueError: body.k is text; it must be a whole number
    """
    kinds = schema.get("type")
    if kinds is not None:
        _check_type(value, [kinds] if isinstance(kinds, str) else kinds, where)
    if "enum" in schema and value is not None and value not in schema["enum"]:
        raise ValueError(f"{where} must be one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, dict):
        _check_object(value, schema, where)
    elif isinstance(value, list | tuple) and "items" in schema:
        _check_items(value, schema, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_bounds(value, schema, where)
    elif isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        raise ValueError(f"{where} has {len(value)} characters; at most {schema['maxLength']} are taken")


def _check_type(value: Any, kinds: list[str], where: str) -> None:
    for kind in kinds:
        # In Python, True is an int.
        if isinstance(value, _PYTHON[kind]) and (kind == "boolean") == isinstance(value, bool):
            return
    wanted = " or ".join(_IN_WORDS[kind] for kind in kinds)
    raise ValueError(f"{where} is {_kind_of(value)}; it must be {wanted}")


_IN_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _kind_of(value: Any) -> str:
    for kind in ("boolean", "null", "string", "integer", "number", "array", "object"):
        if isinstance(value, _PYTHON[kind]):
            return _IN_WORDS[kind]
    return type(value).__name__


def _check_object(value: dict[str, Any], schema: Schema, where: str) -> None:
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, inner in value.items():
        if name in properties:
            check(inner, properties[name], f"{where}.{name}")
        elif others is False:
            raise ValueError(f"{where} has no {name[:40]!r}; it takes {', '.join(properties) or 'nothing'}")
        elif isinstance(others, dict):
            check(inner, others, f"{where}.{name[:40]}")


def _check_items(value: Any, schema: Schema, where: str) -> None:
    if len(value) > schema.get("maxItems", len(value)):
        raise ValueError(f"{where} has {len(value)} entries; at most {schema['maxItems']} are taken")
    for number, inner in enumerate(value):
        check(inner, schema["items"], f"{where}[{number}]")


def _check_bounds(value: float, schema: Schema, where: str) -> None:
    least, most = schema.get("minimum"), schema.get("maximum")
    # Turned round, so that a NaN does not pass.
    if (least is not None and not value >= least) or (most is not None and not value <= most):
        raise ValueError(f"{where} is {str(value)[:20]}; it must lie between {least} and {most}")
