"""What schemathesis has to know of Ferry beyond the OpenAPI document."""

import re

import schemathesis

# Both are text to it.
for media_type in ("text/csv", "application/x-ndjson"):
    schemathesis.serializer.alias(media_type, "text/plain")


@schemathesis.hook
def map_query(context, query):
    """A run has no time for long waits."""
    if query and str(query.get("wait"))[-1:] in ("s", "m"):
        query["wait"] = "20ms"
    return query


@schemathesis.hook
def before_call(context, case, **_):
    """Sets a time limit: a stream of events has no end of its own."""
    if case.operation.path == "/v1/events":
        query = case.query or {}
        if re.fullmatch("[0-9]+(ms|s|m)?", str(query.get("wait", "0"))):
            case.query = {**query, "wait": "20ms"}
