import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REQUEST_FILTERS, MODEL_FILTERS } from "./builtin.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError, type ConfigProblem } from "../config/problem.ts";

/** What is wrong with a configuration with these templates and a route with this reference. */
function complaints(templates: string, reference: string): string[] {
  const middleware = `{ name: prompt_template, options: { template: ${reference} } }`;
  return complaintsOfRoute(templates, `{ path: /v1/x, middlewares: [ ${middleware} ] }`);
}

/** What is wrong, or at least worth a warning, with a configuration with these templates and this route. */
function complaintsOfRoute(templates: string, route: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "sluice-templates-"));
  const path = join(directory, "sluice.yaml");
  writeFileSync(
    path,
    `providers: [ { name: p, dialect: openai, nodes: [ "http://127.0.0.1:1/v1" ] } ]
models: [ { name: m, targets: [ { provider: p, model: m } ] } ]
consumers: [ { name: c, grants: [ { model: m } ], keys: [ { name: k, hash: "sha256:${"ab".repeat(32)}" } ] } ]
domains: [ { host: "*", routes: [ ${route} ] } ]
templates: ${templates}
`,
  );
  try {
    const filters = { request: REQUEST_FILTERS, model: MODEL_FILTERS };
    return loadConfig(path, { filters, environment: {} }).warnings.map(lineOf);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(lineOf);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function lineOf(problem: ConfigProblem): string {
  return `${problem.line}:${problem.path}: ${problem.message} ${problem.remedy}`;
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

test("one thing answers on a route, and a filter that can do nothing is refused", () => {
  const route = (rest: string, ...middlewares: string[]): string =>
    `{ path: "/v1/x/*", ${rest} middlewares: [ ${middlewares.join(", ")} ] }`;
  const answers = "{ name: prompt_template, options: { template: t } }";
  const published = "{ name: v1_chat_template, options: { provider: p, model_name: m, prompt_template: x } }";
  const named = (...templates: string[]): string =>
    `{ name: named_templates, options: { templates: [ ${templates.join(", ")} ] } }`;
  const decorator = (when: string): string =>
    `{ name: prompt_decorator, options: { when: ${when}, append: [ { role: system, content: x } ] } }`;
  const good = [
    route("", answers, decorator("{ models: [ m ], consumers: [ c, 'c*' ] }")),
    route("api: [ anthropic, openai ],", named("t", '"t2@1"'), decorator("{ models: [ 'm*', p/other ] }")),
  ];
  const templates = `${GOOD.slice(0, -1)}, { name: t2, versions: [ { version: 1, prompt: ${prompt()} } ] } ]`;
  for (const each of good) assert.deepEqual(complaintsOfRoute(templates, each), [], each);
  const wrong: [route: string, complaint: RegExp][] = [
    [route("", answers, published), /middlewares\[1\]: answers where something else does/],
    [route("api: openai,", answers), /middlewares\[0\]: answers where something else does.*`api`/],
    [route("", answers, named("t")), /middlewares\[1\]: does nothing here/],
    [route("api: anthropic,", named("t")), /middlewares\[0\]: does nothing here.*openai/],
    [route("api: openai,", named("t", '"t@2"')), /templates\[1\]: the template name is already used/],
    [route("", decorator("{}")), /middlewares\[0\]: does nothing here/],
    [route("api: openai,", decorator("{ models: [ mm ] }")), /when\.models\[0\]: there is no such model: "mm".*"?m/],
    [route("api: openai,", decorator("{ consumers: [ c, d ] }")), /when\.consumers\[1\]: there is no such consumer/],
    [route("api: openai,", decorator("{ consumers: [ 'd*' ] }")), /when\.consumers\[0\]/],
  ];
  for (const [each, complaint] of wrong) {
    assert.match(complaintsOfRoute(templates, each).join("\n"), complaint, each);
  }
});
