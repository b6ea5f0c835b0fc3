#!/usr/bin/env node
// Submits a dataset to `ferry serve`, waits for the outcome, and prints the results or the feedback:
// submit.mjs FILE [NAME]. FERRY_URL says where the server is, FERRY_KEY is an API key, if one is
// needed. Ends with 0 if it was completed, 2 without FILE, 3 if the dataset is invalid, 4 if the
// Platform rejected it, and 1 otherwise. Needs nothing but Node 18.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const url = process.env.FERRY_URL ?? "http://127.0.0.1:8600";
const tries = 5;
const shown = 10; // The most problems that are printed.

// Prints why it cannot continue, and ends.
function stop(code, message) {
  console.error(message);
  process.exit(code);
}

// What may pass is sent again, which creates nothing twice.
async function call(path, options = {}) {
  const headers = { ...options.headers };
  if (process.env.FERRY_KEY) headers.authorization = `Bearer ${process.env.FERRY_KEY}`;
  for (let attempt = 1; ; attempt++) {
    let pause = 2 ** attempt * 125;
    try {
      const answer = await fetch(url + path, { ...options, headers });
      if (![408, 429, 502, 503, 504].includes(answer.status) || attempt === tries) return answer;
      pause = Math.max(pause, 1000 * Number(answer.headers.get("retry-after") ?? 0));
    } catch (error) {
      if (attempt === tries) {
        const reason = error.cause?.message || error.cause?.code || error.message;
        stop(1, `cannot reach ${url}: ${reason}; does \`ferry serve\` run there?`);
      }
    }
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

// A response that is no problem. A problem ends this with its detail, and the cells that it names.
async function read(path, options) {
  const response = await call(path, options);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  console.error(problem.detail ?? `${url} responded ${response.status}`);
  const problems = problem.problems ?? [];
  for (const { table, line, column, message } of problems.slice(0, shown)) {
    // An error of the whole table has no line, and one of a row no column.
    const place = [table, line && `line ${line}`, column && `column ${column}`];
    console.error(`${place.filter(Boolean).join(", ")}: ${message}`);
  }
  if (problems.length > shown) console.error(`… and ${problems.length - shown} more errors`);
  process.exit(response.status === 422 ? 3 : 1);
}

if (process.argv.length < 3 || process.argv.length > 4) stop(2, "usage: submit.mjs FILE [NAME]");
const [file, name = basename(file, ".csv")] = process.argv.slice(2);
let data;
try {
  data = readFileSync(file);
} catch (error) {
  stop(1, error.message);
}
// The same content under the same name is the same submission here; a producer with an id of its own
// takes that.
const key = `${name}-${createHash("sha256").update(data).digest("hex").slice(0, 16)}`;
const accepted = await read(`/v1/submissions?name=${encodeURIComponent(name)}`, {
  method: "POST",
  body: data,
  headers: { "content-type": "text/csv", "idempotency-key": key },
});
const { id } = await accepted.json();
console.error(`submitted as ${id}`);

for (;;) {
  const { state, reason, feedback } = await (await read(`/v1/submissions/${id}?wait=30s`)).json();
  if (state === "completed") {
    process.stdout.write(
      await (await read(`/v1/submissions/${id}/results/tableofresultids`)).text(),
    );
    break;
  }
  if (state === "rejected" && !feedback) {
    // The Platform rejected the upload itself, such as a name that exists.
    console.error(reason);
    process.exitCode = 4;
    break;
  }
  if (state === "rejected") {
    for (const finding of await (await read(`/v1/submissions/${id}/feedback`)).json()) {
      const lines = finding.locations.map((place) => place.line);
      console.log(`line ${lines}, value ${finding.value}: ${finding.message}`);
    }
    process.exitCode = 4;
    break;
  }
  if (["failed", "cancelled", "held"].includes(state)) {
    console.error(`${id} is ${state}: ${reason}`);
    process.exitCode = 1;
    break;
  }
}
