/** What operators and callers can ask about prompts: which there are, and an OpenAPI document for each route. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startPrompts } from "./prompt-world.ts";

const INPUT = {
  type: "object",
  required: ["texts"],
  properties: { texts: { type: "array", items: { $ref: "#/$defs/text" } } },
  $defs: { text: { type: "string" } },
};
const OUTPUT = { type: "object", required: ["stars"], properties: { stars: { type: "integer" } } };
const message = (content: string): JsonObject[] => [{ role: "user", content }];
const prompt = (path: string, options: JsonObject): JsonObject => ({
  path,
  middlewares: [{ name: "prompt_template", options }],
});
const ROUTES = [
  {
    path: "/v1/reply-to-en",
    middlewares: [
      {
        name: "v1_chat_template",
        options: { provider: "bilibili", model_name: "index", prompt_template: "{{ .secret_words }} {{ len .list }}" },
      },
    ],
  },
  prompt("/v1/rate/*", {
    model: "index",
    messages: message("{{ .texts }}"),
    input: INPUT,
    output: "json",
    outputSchema: OUTPUT,
  }),
  prompt("/v1/rate", { template: "t@both" }),
];
const templates = [
  {
    name: "t",
    published: 1,
    labels: { both: [{ version: 1 }, { version: 2, weight: 3 }] },
    versions: [
      { version: 1, prompt: { model: "index", messages: message("{{ .a }}"), output: "text" } },
      { version: 2, prompt: { model: "index", messages: message("{{ .b }}"), defaults: { b: 7 } } },
    ],
  },
];

interface Document {
  paths: Record<
    string,
    {
      post: {
        requestBody: JsonObject;
        parameters?: { name: string }[];
        responses: Record<string, { content: JsonObject }>;
      };
    }
  >;
  components: { schemas: Record<string, JsonObject> };
}

test("routes with prompts and templates are listed, and each route has a document of what it takes and gives", async (t) => {
  const { gateway, config } = await startPrompts(t, ROUTES, {}, { templates });
  const get = (path: string): Promise<Response> => fetch(gateway.adminUrl + path);
  const list = (await (await get("/admin/v1/templates")).json()) as JsonObject;
  const openapi = (name: string): string => `/admin/v1/templates/${name}/openapi.json`;
  assert.deepEqual(list["routes"], [
    { name: "v1-reply-to-en", host: "*", path: "/v1/reply-to-en", openapi: openapi("v1-reply-to-en") },
    { name: "v1-rate", host: "*", path: "/v1/rate/*", openapi: openapi("v1-rate") },
    { name: "v1-rate-2", host: "*", path: "/v1/rate", template: "t@both", openapi: openapi("v1-rate-2") },
  ]);
  assert.deepEqual((list["templates"] as JsonObject[])[0]!["labels"], {
    both: [
      { version: 1, weight: 1 },
      { version: 2, weight: 3 },
    ],
  });
  const document = async (name: string): Promise<[Document, string]> => {
    const answer = await get(openapi(name));
    assert.equal(answer.status, 200);
    const text = await answer.text();
    return [JSON.parse(text) as Document, text];
  };

  const [published, text] = await document("v1-reply-to-en");
  assert.deepEqual(Object.keys(published.components.schemas["Input"]!["properties"]!), ["list", "secret_words"]);
  assert.ok(!text.includes("{{"), "a document says how a prompt is called, not what it is");

  const [checked] = await document("v1-rate");
  const { post } = checked.paths["/v1/rate"]!;
  assert.deepEqual(checked.components.schemas["Input"], {
    type: "object",
    required: ["texts"],
    properties: { texts: { type: "array", items: { $ref: "#/components/schemas/Input_text" } } },
  });
  assert.deepEqual(checked.components.schemas["Input_text"], { type: "string" });
  assert.deepEqual(checked.components.schemas["Answer"], OUTPUT);
  assert.deepEqual(Object.keys(post.responses["200"]!.content), ["application/json"]);
  assert.equal(post.parameters, undefined, "checked JSON cannot be streamed");

  const [shared] = await document("v1-rate-2");
  assert.deepEqual(
    shared.paths["/v1/rate"]!.post.parameters?.map(({ name }) => name),
    ["stream"],
  );
  assert.deepEqual(Object.keys(shared.components.schemas), ["Error", "Input1", "Input2", "Answer"]);
  assert.deepEqual(Object.keys(shared.paths["/v1/rate"]!.post.responses["200"]!.content), [
    "text/plain",
    "application/json",
    "text/event-stream",
  ]);

  const one = (await (await get("/admin/v1/templates/t")).json()) as JsonObject;
  assert.deepEqual(
    (one["routes"] as JsonObject[]).map(({ path }) => path),
    ["/v1/rate"],
  );
  assert.deepEqual((one["versions"] as JsonObject[])[0]!["prompt"], templates[0]!.versions[0]!.prompt);
  const own = (await (await get("/admin/v1/templates/v1-rate")).json()) as JsonObject;
  assert.deepEqual(own["input"], INPUT);

  for (const name of ["nothing", "%zz", "__proto__"]) {
    assert.equal((await get(openapi(name))).status, 404, name);
    assert.equal((await get(`/admin/v1/templates/${name}`)).status, 404, name);
  }
  await gateway.configure({ ...config, templates, domains: [{ host: "*", routes: [ROUTES[2]!] }] });
  const deadline = performance.now() + 5_000;
  while ((await get(openapi("v1-reply-to-en"))).status === 200) assert.ok(performance.now() < deadline);
});
