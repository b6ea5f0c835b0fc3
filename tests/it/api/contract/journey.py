"""Uses the generated client for the whole journey; `FERRY_URL` and `FERRY_KEY` say where."""

import json
import os
import sys
from io import BytesIO

from ferry_client import AuthenticatedClient
from ferry_client.api.monitoring import get_stats
from ferry_client.api.operations import pause_account, refetch_submission, resume_account
from ferry_client.api.submissions import (
    get_feedback,
    get_result,
    get_submission,
    get_timeline,
    list_deliveries,
    list_submissions,
    resubmit_dataset,
    submit_bulk,
    submit_dataset,
)
from ferry_client.models import (
    PauseRequest,
    Problem,
    ResubmitRequest,
    State,
    SubmissionRequest,
    SubmissionView,
    SubmitDatasetFilesBody,
)
from ferry_client.types import File

good, rejected, corrected = (open(path).read() for path in sys.argv[1:])
client = AuthenticatedClient(base_url=os.environ["FERRY_URL"], token=os.environ["FERRY_KEY"])


def settled(id):
    view = get_submission.sync(id, client=client, wait="60s")
    assert isinstance(view, SubmissionView), view
    return view


# Submit, wait, read.
request = SubmissionRequest(name="march", data=good)
response = submit_dataset.sync_detailed(client=client, body=request, idempotency_key="march-1")
assert response.status_code == 201, response
again = submit_dataset.sync_detailed(client=client, body=request, idempotency_key="march-1")
assert (again.status_code, again.parsed.id) == (200, response.parsed.id), again
view = settled(response.parsed.id)
assert view.state == State.COMPLETED, view
result = get_result.sync(view.id, "tableofresultids", client=client)
assert result.payload.read().startswith(b"Reference,ResultId"), result
assert [entry.state for entry in get_timeline.sync(view.id, client=client)][-1] == State.COMPLETED
assert list_deliveries.sync(view.id, client=client).deliveries == []

# CSV as it is, and a form with a file.
csv = File(payload=BytesIO(good.encode()))
response = submit_dataset.sync_detailed(client=client, body=csv, name="april")
assert response.status_code == 201, response.content
form = SubmitDatasetFilesBody(
    data=File(payload=BytesIO(good.encode()), file_name="may.csv"), label=["team=north"]
)
response = submit_dataset.sync_detailed(client=client, body=form)
assert response.status_code == 201, response.content
assert response.parsed.name == "may", response.parsed

# A rejected dataset is corrected.
response = submit_dataset.sync(client=client, body=SubmissionRequest(name="june", data=rejected))
view = settled(response.id)
assert view.state == State.REJECTED, view
items = get_feedback.sync(view.id, client=client)
assert any(item.value == "UNKNOWN-7" for item in items), items
revision = resubmit_dataset.sync(view.id, client=client, body=ResubmitRequest(data=corrected))
view = settled(revision.id)
assert (view.state, view.revision_of) == (State.COMPLETED, response.id), view

# Bulk: the second line is invalid.
lines = [SubmissionRequest(name="july", data=good), SubmissionRequest(name="", data=good)]
body = "".join(json.dumps(line.to_dict()) + "\n" for line in lines)
responded = submit_bulk.sync(client=client, body=File(payload=BytesIO(body.encode())))
first, second = [json.loads(line) for line in responded.payload.read().splitlines()]
assert settled(first["id"]).state == State.COMPLETED, first
assert second["error"]["type"] == "/docs#invalid-field", second

# Lists, by a closed set, a label and pages.
page = list_submissions.sync(client=client, state=[State.COMPLETED], limit=2)
assert len(page.submissions) == 2 and page.next_cursor, page
rest = list_submissions.sync(client=client, state=[State.COMPLETED], cursor=page.next_cursor)
assert not {one.id for one in page.submissions} & {one.id for one in rest.submissions}
north = list_submissions.sync(client=client, label=["team=north"])
assert [one.name for one in north.submissions] == ["may"], north

# Operators.
paused = pause_account.sync("default", client=client, body=PauseRequest(reason="maintenance"))
assert paused.pause_reason.startswith("maintenance"), paused
assert get_stats.sync(client=client).accounts[0].blocked_by.kind == "paused"
assert resume_account.sync("default", client=client).changed
assert refetch_submission.sync(view.id, client=client).refetching
assert settled(view.id).state == State.COMPLETED

# Problems have a type of their own.
problem = submit_dataset.sync(client=client, body=SubmissionRequest(name="x", data="a,b\n"))
assert isinstance(problem, Problem), problem
assert problem.type_ == "/docs#invalid-dataset" and problem.problems, problem
print("done")
