"""All errors of a body at once, as many as one answer lists, each with its JSON pointer.

msgspec stops at the first error, which is what a hot route wants. This is the slow second look, taken only at what
was refused: it walks the value along the model's own types, so the two can never disagree on what a field may hold.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, Literal, Union

import msgspec
from msgspec import inspect

from schemas.instants import is_accepted
from services.platform.http.problems import MAX_ERRORS, FieldError, pointer_to

#: Values beyond which a body is not looked at a second time. A report holds a few dozen.
MAX_LOOKED: Final = 20_000


def find_errors(value: Any, model: Any, pointer: str = "") -> list[FieldError]:
    """The errors of ``value``, decoded JSON, as ``model``, up to one more than an answer lists; an empty list when it
    is valid."""
    return list(islice(_errors(value, _kind_of(model), pointer), MAX_ERRORS + 1))


def find_beyond(moments: Mapping[str, int]) -> list[FieldError]:
    """The fields, by name, whose instants the calendar of some zone cannot hold."""
    return [
        FieldError(f"/{name}", "lies beyond what the calendars of all time zones hold")
        for name, moment in moments.items()
        if not is_accepted(moment)
    ]


def first_error(error: msgspec.ValidationError) -> FieldError:
    """The one error that msgspec tells, whose path ``$.parties[0].name`` becomes a pointer."""
    detail, _, path = str(error).partition(" - at `")
    parts = re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path.removesuffix("`").removeprefix("$"))
    return FieldError("".join(f"/{name or index}" for name, index in parts), detail)


def is_crowded(body: bytes) -> bool:
    """Whether JSON holds so many values (commas and brackets) that a second look at it would take long: its first
    error must do."""
    return body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_LOOKED


@lru_cache(maxsize=256)
def _kind_of(model: Any) -> inspect.Type:
    return inspect.type_info(model)


def _errors(value: Any, kind: inspect.Type, pointer: str) -> Iterator[FieldError]:
    kind = _bare(kind)
    if isinstance(kind, inspect.UnionType):
        if wrong := _wrong_tag(value, kind):
            yield FieldError(pointer_to(pointer, wrong[0]), f"must be one of: {', '.join(wrong[1])}")
            return
        kind = _bare(_branch(value, kind))
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        yield from _struct_errors(value, kind, pointer)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType) and isinstance(value, list):
        yield from _list_errors(value, kind, pointer)
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        if kind.min_length is not None and len(value) < kind.min_length:
            yield FieldError(pointer, f"must hold at least {kind.min_length} items")
        for key, item in value.items():
            yield from _leaf_errors(key, kind.key_type, pointer_to(pointer, key))
            yield from _errors(item, kind.value_type, pointer_to(pointer, key))
    else:
        yield from _leaf_errors(value, kind, pointer)


def _struct_errors(value: dict[str, Any], kind: inspect.StructType, pointer: str) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in kind.fields}
    tag = kind.tag_field
    for name, field in fields.items():
        if name in value:
            yield from _errors(value[name], field.type, pointer_to(pointer, name))
        elif field.required:
            yield FieldError(pointer_to(pointer, name), "is required")
    if kind.forbid_unknown_fields:
        for name in value:
            if name not in fields and name != tag:
                yield FieldError(pointer_to(pointer, name), "is not a known field")


def _list_errors(value: list[Any], kind: inspect.ListType | inspect.VarTupleType, pointer: str) -> Iterator[FieldError]:
    if kind.max_length is not None and len(value) > kind.max_length:
        yield FieldError(pointer, f"may hold at most {kind.max_length} items")
    if kind.min_length is not None and len(value) < kind.min_length:
        yield FieldError(pointer, f"must hold at least {kind.min_length} items")
    # Items beyond the limit are refused already, and may be any number.
    for index, item in enumerate(value[: kind.max_length]):
        yield from _errors(item, kind.item_type, pointer_to(pointer, index))


def _leaf_errors(value: Any, kind: inspect.Type, pointer: str) -> Iterator[FieldError]:
    if isinstance(kind, inspect.LiteralType) and not any(type(value) is type(v) and value == v for v in kind.values):
        shown = ", ".join(str(v) for v in kind.values)
        yield FieldError(pointer, f"must be one of: {shown}")
        return
    try:
        msgspec.convert(value, _annotation(kind))
    except msgspec.ValidationError as error:
        yield FieldError(pointer, _plain(str(error)))


def _bare(kind: inspect.Type) -> inspect.Type:
    """A type without the description that may be wrapped around it, alone or as a member of a union."""
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _plain(message: str) -> str:
    """msgspec's message without its own path, which the pointer says already."""
    return message.split(" - at `")[0]


def _wrong_tag(value: Any, kind: inspect.UnionType) -> tuple[str, list[str]] | None:
    """The field that tells the members of a union apart, with their tags, where the value has none of these."""
    tagged = [t for t in kind.types if isinstance(t, inspect.StructType) and t.tag_field is not None]
    if not isinstance(value, dict) or not tagged or any(value.get(str(t.tag_field)) == t.tag for t in tagged):
        return None
    return str(tagged[0].tag_field), [str(t.tag) for t in tagged]


def _branch(value: Any, kind: inspect.UnionType) -> inspect.Type:
    """The member of a union that the value was meant for, so that the errors are the helpful ones."""
    structs = [t for t in kind.types if isinstance(t, inspect.StructType)]
    if isinstance(value, dict) and structs:
        tagged = [t for t in structs if t.tag_field is not None and value.get(t.tag_field) == t.tag]
        return (tagged or structs)[0]
    if isinstance(value, list):
        lists = [t for t in kind.types if isinstance(t, inspect.ListType | inspect.VarTupleType)]
        return lists[0] if lists else kind
    rest = tuple(t for t in kind.types if not isinstance(t, inspect.StructType | inspect.NoneType))
    if value is not None and len(rest) == 1:
        return rest[0]
    return kind


def _annotation(kind: inspect.Type) -> Any:  # noqa: C901 - one arm a type, nothing nested
    """The Python annotation that a leaf of msgspec's type tree stands for."""
    kind = _bare(kind)
    match kind:
        case inspect.UnionType():
            return Union[tuple(_annotation(t) for t in kind.types)]  # noqa: UP007 - built at run time
        case inspect.StrType():
            meta = msgspec.Meta(min_length=kind.min_length, max_length=kind.max_length, pattern=kind.pattern)
            return Annotated[str, meta]
        case inspect.IntType() | inspect.FloatType():
            number = int if isinstance(kind, inspect.IntType) else float
            bounds = {name: getattr(kind, name) for name in ("gt", "ge", "lt", "le")}
            return Annotated[number, msgspec.Meta(**{k: v for k, v in bounds.items() if v is not None})]
        case inspect.DateTimeType():
            return Annotated[datetime, msgspec.Meta(tz=kind.tz)]
        case inspect.LiteralType():
            return Literal[kind.values]
        case inspect.StructType():
            return kind.cls
        case inspect.BoolType():
            return bool
        case inspect.NoneType():
            return None
        case inspect.ListType() | inspect.VarTupleType():
            return list
        case inspect.DictType():
            return dict
        case _:
            return Any
