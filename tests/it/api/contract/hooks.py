"""What schemathesis has to know of Ferry beyond the OpenAPI document."""

import schemathesis

# Both are text to it.
for media_type in ("text/csv", "application/x-ndjson"):
    schemathesis.serializer.alias(media_type, "text/plain")


@schemathesis.hook
def map_query(context, query):
    """A run has no time for long waits."""
    if context.operation.path == "/v1/events" and not (query and "wait" in query):
        query = {**(query or {}), "wait": "20ms"}
    if query and str(query.get("wait"))[-1:] in ("s", "m"):
        query["wait"] = "20ms"
    return query
