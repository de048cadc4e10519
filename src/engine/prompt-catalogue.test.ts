import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteConfig, TemplateConfig } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import type { JsonObject } from "../lib/json.ts";
import { PromptCatalogue } from "./prompt-catalogue.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const COUNT = 10_000;

function template(name: string, versions = 1): TemplateConfig {
  const options = { model: "m", messages: [{ role: "user", content: "{{ .text }}" }] };
  return {
    name,
    published: [{ version: 1, weight: 1 }],
    labels: {},
    versions: Array.from({ length: versions }, (_, index) => ({ version: index + 1, draft: false, options })),
  };
}
const route = (path: string, name: string, options: JsonObject): RouteConfig => ({
  ...PLAIN.domains[0]!.routes[0]!,
  path,
  apis: [],
  middlewares: [{ name, options }],
});
const url = (name: string): string => `/${name}`;

/** The catalogue, and in how many steps it was made. */
function build(templates: TemplateConfig[], routes: RouteConfig[]): { catalogue: PromptCatalogue; steps: number } {
  const run = PromptCatalogue.build({ version: "v", templates, domains: [{ host: "*", routes }] });
  for (let steps = 0; ; steps++) {
    const { done, value } = run.next();
    if (done === true) return { catalogue: value, steps };
  }
}

test("ten thousand templates are listed in small pieces that make one JSON, each under a name of its own", () => {
  const templates = Array.from({ length: COUNT }, (_, index) => template(`t${index}`, 2));
  // all paths but the last make the same name
  const paths = Array.from({ length: COUNT - 1 }, (_, index) => `/p${"~".repeat(1 + index)}/x`);
  const routes = [...paths, "/p-x-2"].map((path, index) => route(path, "prompt_template", { template: `t${index}` }));
  const { catalogue, steps } = build(templates, routes);
  assert.ok(steps >= COUNT / 200, `${steps} steps`);
  const pieces = [...catalogue.list(url)];
  assert.ok(pieces.length > 50 && pieces.every((piece) => piece.length < 65_536));
  const list = JSON.parse(pieces.join("")) as { routes: JsonObject[]; templates: JsonObject[] };
  assert.equal(list.templates.length, COUNT);
  assert.equal(new Set(list.routes.map(({ name }) => name)).size, COUNT);
});

test("one template: versions with input and source, and all that uses it", () => {
  const options = { model: "m", messages: [{ role: "user", content: "{{ .x }}" }], input: { type: "object" } };
  const { catalogue } = build(
    [template("empty"), { ...template("t", 1_000), sticky: "consumer" }],
    [
      route("/a", "prompt_template", { template: "t@2" }),
      route("/b", "named_templates", { templates: ["empty", "t"] }),
      route("/c", "prompt_template", options),
    ],
  );
  const pieces = [...catalogue.one("t", url)!];
  assert.ok(pieces.length >= 1_000, "others get their turn between versions");
  const one = JSON.parse(pieces.join("")) as { versions: JsonObject[]; routes: JsonObject[]; sticky: string };
  assert.equal(one.sticky, "consumer");
  assert.deepEqual(one.routes, [
    { name: "a", host: "*", path: "/a", template: "t@2", openapi: "/a" },
    { host: "*", path: "/b", template: "t", named: true },
  ]);
  assert.equal(one.versions.length, 1_000);
  assert.deepEqual(one.versions[1], {
    version: 2,
    draft: false,
    input: { type: "object", properties: { text: { description: "Used by the prompt" } } },
    prompt: template("").versions[0]!.options,
  });
  const own = JSON.parse([...catalogue.one("c", url)!].join("")) as JsonObject;
  assert.deepEqual(own, { name: "c", host: "*", path: "/c", openapi: "/c", input: options.input, prompt: options });
  const referring = JSON.parse([...catalogue.one("a", url)!].join("")) as JsonObject;
  assert.deepEqual(referring, { name: "a", host: "*", path: "/a", template: "t@2", openapi: "/a" });
  assert.equal(catalogue.one("b", url), undefined);
});
