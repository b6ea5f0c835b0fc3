// Compiles against the generated types only if they say what the API does.
import type { components, paths } from "./ferry";

type View = components["schemas"]["SubmissionView"];
type Submit = paths["/v1/submissions"]["post"];
type Created = Submit["responses"][201]["content"]["application/json"];
type Page = paths["/v1/submissions"]["get"]["responses"][200]["content"]["application/json"];
type Query = NonNullable<paths["/v1/submissions"]["get"]["parameters"]["query"]>;
type Bulk = NonNullable<paths["/v1/submissions/bulk"]["post"]["requestBody"]>["content"];
type Problem = Submit["responses"][422]["content"]["application/problem+json"];

const request: components["schemas"]["SubmissionRequest"] = { name: "march", data: "a\n" };
const query: Query = { state: ["completed", "rejected"], label: ["team=north"], limit: 10 };
const lines: Bulk["application/x-ndjson"] = JSON.stringify(request) + "\n";

export function finals(page: Page): View[] {
    return page.submissions.filter((view) => view.state === "completed" && !view.refetching);
}

export function summary(answer: Created | Problem): string {
    return "id" in answer ? answer.id : answer.type + (answer.problems ?? []).length;
}

// @ts-expect-error: a closed set has no other word.
const wrong: View["state"] = "done";

export const all = [query, lines, wrong];
