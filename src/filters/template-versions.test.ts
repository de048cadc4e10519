import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REQUEST_FILTERS, MODEL_FILTERS } from "./builtin.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";

/** What is wrong with a configuration with these templates and a route with this reference. */
function complaints(templates: string, reference: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "sluice-templates-"));
  const path = join(directory, "sluice.yaml");
  writeFileSync(
    path,
    `providers: [ { name: p, dialect: openai, nodes: [ "http://127.0.0.1:1/v1" ] } ]
models: [ { name: m, targets: [ { provider: p, model: m } ] } ]
consumers: [ { name: c, grants: [ { model: m } ], keys: [ { name: k, hash: "sha256:${"ab".repeat(32)}" } ] } ]
domains: [ { host: "*", routes: [ { path: /v1/x, middlewares: [ { name: prompt_template, options: { template: ${reference} } } ] } ] } ]
templates: ${templates}
`,
  );
  try {
    loadConfig(path, { filters: { request: REQUEST_FILTERS, model: MODEL_FILTERS }, environment: {} });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map((problem) => `${problem.line}:${problem.path}: ${problem.message} ${problem.remedy}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const prompt = (content = "x"): string => `{ model: m, messages: [ { role: user, content: "${content}" } ] }`;
const GOOD = `[ { name: t, published: 1, labels: { live: [ { version: 1 }, { version: 2, weight: 3 } ] }, versions: [ { version: 1, prompt: ${prompt()} }, { version: 2, prompt: ${prompt()} }, { version: 3, draft: true, prompt: ${prompt()} } ] } ]`;

test("references lead to what is published, to labels, and to drafts by their number only", () => {
  for (const reference of ["t", "t@live", "t@2", "t@3"]) assert.deepEqual(complaints(GOOD, reference), []);
  const wrong: [reference: string, complaint: RegExp][] = [
    ["tt", /options\.template: there is no template "tt" Did you mean "?t/],
    ["t@4", /no label or version "4"/],
    ["t@liv", /no label or version "liv".*Labels: live/],
  ];
  for (const [reference, complaint] of wrong) assert.match(complaints(GOOD, reference).join("\n"), complaint);
});

test("templates that cannot work are refused where they stand", () => {
  const wrong: [templates: string, complaint: RegExp][] = [
    [`[ { name: t, versions: [ { version: 1, prompt: ${prompt()} } ] } ]`, /nothing published.*t@1/],
    [
      GOOD.replace("published: 1", "published: 9"),
      /templates\[0\]\.published: there is no version 9.*Versions: 1, 2, 3/,
    ],
    [GOOD.replace("published: 1", "published: 3"), /version 3 is a draft/],
    [GOOD.replace("{ version: 2, weight: 3 }", "{ version: 3 }"), /labels\.live: version 3 is a draft/],
    [GOOD.replace("name: t,", "name: t, sticky: header:X-User,"), /templates\[0\]\.sticky: must be `consumer`, `key`/],
    [GOOD.replace("live:", '"7":'), /labels.*must not be a number/],
    [
      GOOD.replace(`version: 2, prompt: ${prompt()}`, `version: 1, prompt: ${prompt()}`),
      /this version is already used/,
    ],
    [
      GOOD.replace(prompt(), prompt("{{ if }}")),
      /versions\[0\]\.prompt\.messages\[0\]\.content: .*missing value for if/,
    ],
    [GOOD.replace(prompt(), "{ template: t }"), /prompt\.template: a version is a prompt/],
    [GOOD.replace("model: m", "model: mm"), /versions\[0\]\.prompt\.model: there is no model "mm"/],
    [GOOD.replace(prompt(), "{ model: m }"), /prompt\.messages: is missing/],
    [
      `${GOOD.slice(0, -1)}, { name: t, published: 1, versions: [ { version: 1, prompt: ${prompt()} } ] } ]`,
      /already used/,
    ],
  ];
  for (const [templates, complaint] of wrong) {
    assert.match(complaints(templates, "t").join("\n"), complaint, templates);
  }
});

test("a route has a template or a prompt of its own, not both", () => {
  assert.match(complaints(GOOD, "t, model: m").join("\n"), /options\.model: stands beside `template`/);
});
