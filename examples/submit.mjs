#!/usr/bin/env node
// Hands a dataset to `ferry serve`, waits for the outcome, and prints the results or the feedback:
// submit.mjs FILE [NAME]. FERRY_URL says where the server is, FERRY_KEY is an API key, if one is
// needed. Ends with 0 if it was completed, and with 4 if the Platform rejected it. Needs nothing but
// Node 18.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const url = process.env.FERRY_URL ?? "http://127.0.0.1:8600";
const tries = 5;

// What may pass is tried again, which doubles nothing.
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
      if (attempt === tries) throw error;
    }
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

const [file, name = basename(file, ".csv")] = process.argv.slice(2);
const data = readFileSync(file);
// The same content under the same name is the same submission here; a producer with an id of its own
// takes that.
const key = `${name}-${createHash("sha256").update(data).digest("hex").slice(0, 16)}`;
const kept = await call(`/v1/submissions?name=${encodeURIComponent(name)}`, {
  method: "POST",
  body: data,
  headers: { "content-type": "text/csv", "idempotency-key": key },
});
if (!kept.ok) {
  const problem = await kept.json();
  console.error(problem.detail);
  for (const { table, line, column, message } of problem.problems ?? []) {
    console.error(`${table}, line ${line}, column ${column}: ${message}`);
  }
  process.exit(3);
}
const { id } = await kept.json();
console.error(`submitted as ${id}`);

for (;;) {
  const { state, reason, feedback } = await (await call(`/v1/submissions/${id}?wait=30s`)).json();
  if (state === "completed") {
    process.stdout.write(
      await (await call(`/v1/submissions/${id}/results/tableofresultids`)).text(),
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
    for (const finding of await (await call(`/v1/submissions/${id}/feedback`)).json()) {
      const lines = finding.locations.map((place) => place.line);
      console.log(`line ${lines}, value ${finding.value}: ${finding.message}`);
    }
    process.exitCode = 4;
    break;
  }
  if (["failed", "cancelled", "held"].includes(state)) {
    console.error(`${id} is ${state}`);
    process.exitCode = 1;
    break;
  }
}
