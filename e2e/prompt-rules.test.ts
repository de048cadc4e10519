/** What holds for every route holds for one with a prompt: retries, fallbacks, tools, and the end of a call whose client leaves. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { CANNED_USAGE, cannedAnswer, cannedEvents } from "./canned.ts";
import { startPrompts, type PromptWorld } from "./prompt-world.ts";

const TOOLS = [{ type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } }];
const FORMAT = { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } };
const ROUTE: JsonObject = {
  path: "/v1/ask",
  middlewares: [
    {
      name: "prompt_template",
      options: {
        model: "index",
        messages: [{ role: "user", content: "{{ .text }}" }],
        parameters: { tools: TOOLS, tool_choice: "auto", response_format: FORMAT, temperature: 0 },
      },
    },
  ],
};
const RESTING = '{"error":{"message":"no","type":"server_error"}}';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface Scripted extends PromptWorld {
  /** The model and what else the provider was asked, in turn. */
  readonly asked: JsonObject[];
}

/** A provider that answers in these ways in turn; `index` may fall back to `spare`. */
async function start(t: TestContext, answers: Answer[]): Promise<Scripted> {
  const asked: JsonObject[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push(body as JsonObject);
      answers.shift()!(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const target = (model: string): JsonObject[] => [{ provider: "bilibili", model }];
  const world = await startPrompts(
    t,
    [ROUTE],
    {},
    {
      providers: [{ name: "bilibili", dialect: "openai", nodes: [`http://127.0.0.1:${port}/v1`] }],
      models: [
        { name: "index", targets: target("index-72b"), retry: { attempts: 2 }, fallbacks: ["spare"] },
        { name: "spare", targets: target("spare-7b") },
      ],
    },
  );
  return { ...world, asked };
}

const status =
  (code: number): Answer =>
  (response) => {
    response.writeHead(code, { "content-type": "application/json" }).end(RESTING);
  };
const whole =
  (body: string): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  };

test("a failure is hidden by the fallback model, and one entry tells of both attempts", async (t) => {
  const { post, asked, gateway } = await start(t, [status(500), whole(cannedAnswer("openai", "fine"))]);
  const answer = await post("/v1/ask", { text: "x" });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /"content":"fine"/);
  assert.deepEqual(
    asked.map(({ model }) => model),
    ["index-72b", "spare-7b"],
  );
  const entries = await gateway.waitForEntries(1);
  const [entry] = entries;
  assert.equal(entries.length, 1);
  assert.deepEqual(
    [entry!.route, entry!.model, entry!.servedModel, entry!.attempts, entry!.outcome, entry!.completionTokens],
    ["/v1/ask", "index", "spare", 2, "ok", CANNED_USAGE.completion],
  );
});

test("a stream that fails before its first token is begun anew, unseen", async (t) => {
  const events = cannedEvents("openai", ["fi", "ne"]);
  const { post, asked } = await start(t, [
    status(503),
    (response) => response.writeHead(200, { "content-type": "text/event-stream" }).end(events),
  ]);
  const answer = await post("/v1/ask?stream=true", { text: "x" });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /"content":"fi".*"content":"ne".*data: \[DONE\]\n\n$/s);
  assert.deepEqual([asked.length, asked[1]!["stream"]], [2, true]);
});

test("tools and response_format reach the model, and its calls the caller", async (t) => {
  const call = { id: "c1", type: "function", function: { name: "look_up", arguments: "{}" } };
  const body = JSON.parse(cannedAnswer("openai", "")) as { choices: JsonObject[] };
  body.choices[0] = {
    index: 0,
    message: { role: "assistant", content: null, tool_calls: [call] },
    finish_reason: "tool_calls",
  };
  const { post, asked } = await start(t, [whole(JSON.stringify(body))]);
  const answer = (await (await post("/v1/ask", { text: "x", tools: [], temperature: 2 })).json()) as typeof body;
  assert.deepEqual((answer.choices[0]!["message"] as JsonObject)["tool_calls"], [call]);
  const { tools, tool_choice: choice, response_format: format, temperature } = asked[0]!;
  assert.deepEqual([tools, choice, format, temperature], [TOOLS, "auto", FORMAT, 0], "the input changes none of them");
});

test("a client that leaves ends the provider's work, whole or streamed", async (t) => {
  for (const query of ["", "?stream=true"]) {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const { post, gateway } = await start(t, [
      (response) => {
        response.on("close", () => ended.resolve());
        begun.resolve();
      },
    ]);
    const leaving = new AbortController();
    const answer = post(`/v1/ask${query}`, { text: "x" }, {}, leaving.signal);
    await begun.promise;
    leaving.abort();
    await assert.rejects(answer);
    await ended.promise;
    const [entry] = await gateway.waitForEntries(1);
    assert.deepEqual([entry!.outcome, entry!.status, entry!.stream], ["aborted", 499, query !== ""]);
  }
});
