"""What schemathesis cannot read from the OpenAPI document: formats by their names, and parameters that go together."""

import base64
import re
from datetime import datetime, timezone
from email.utils import format_datetime

import schemathesis
from hypothesis import strategies

LATEST = datetime(2199, 12, 31)

dates = strategies.datetimes(min_value=datetime(1970, 1, 1), max_value=LATEST).map(
    lambda date: format_datetime(date.replace(tzinfo=timezone.utc), usegmt=True)
)
pointers = strategies.lists(
    strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=5), max_size=4
).map(lambda names: "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names))
bodies = strategies.binary(max_size=64).map(lambda body: base64.b64encode(body).decode())

schemathesis.openapi.format("http-date", dates)
schemathesis.openapi.format("json-pointer", pointers)
schemathesis.openapi.format("base64", bodies)
schemathesis.openapi.format(
    "json-content-type",
    strategies.sampled_from(["application/json", "application/geo+json", "application/json; charset=utf-8"]),
)


schemathesis.openapi.format(
    "media-type", strategies.sampled_from(["text/plain", "image/png", "Text/HTML; charset=utf-8", "a/b"])
)
CURSOR = re.compile("[A-Za-z0-9_-]{20,}")


def with_whole_numbers(value):
    if isinstance(value, dict):
        return {name: with_whole_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(element) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def before_call(context, case, kwargs):
    """A long poll needs both of its parameters and no other revision; and a watch without an end would never end."""
    query = case.query or {}
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if case.operation.path == "/v1/kv/{key}" and case.method in ("GET", "HEAD"):
        if ("wait" in query) != ("after" in query) or "at" in query:
            query.pop("wait", None)
            query.pop("after", None)
    if positive:
        # It sends nothing for a pattern now and then; and 7.0 for an integer, which it is for JSON Schema alone.
        case.headers = {name: value or "*" for name, value in (case.headers or {}).items()}
        if isinstance(case.body, (dict, list)):
            case.body = with_whole_numbers(case.body)
        if case.operation.path == "/v1/txn" and isinstance(case.body, dict):
            # No key is written twice, which a schema cannot say.
            changes = case.body.get("operations", [])
            case.body["operations"] = list({c.get("put", c.get("delete")): c for c in changes}.values())
    # A cursor is what a page gave: all others are refused.
    if "cursor" in query and positive and not CURSOR.fullmatch(str(query["cursor"])):
        del query["cursor"]
    # It has the prefix in it, and no other goes with it.
    if "cursor" in query and positive:
        query.pop("prefix", None)
    if case.operation.path == "/v1/watch":
        headers = {name.lower() for name in (case.headers or {})}
        if "since" not in query and "last-event-id" not in headers:
            query["since"] = 1
    case.query = query
