import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { startSimulator, type Simulator } from "./simulator.ts";

let simulator: Simulator;
let client: Anthropic;
const tools: Anthropic.Tool[] = [
  {
    name: "get_weather",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
  { name: "get_time", input_schema: { type: "object", properties: {} } },
];
const thinking = { type: "enabled" as const, budget_tokens: 1024 };

before(async () => {
  simulator = await startSimulator();
  client = new Anthropic({ baseURL: simulator.url, apiKey: "sk-ant-test", maxRetries: 0 });
});
beforeEach(() => {
  simulator.reset();
});
after(async () => {
  await simulator.close();
});

function ask(
  content: string,
  more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {},
): Anthropic.MessageCreateParamsNonStreaming {
  return { model: "m", max_tokens: 4096, messages: [{ role: "user", content }], ...more };
}

test("answers and streams the same message", async () => {
  const whole = await client.messages.create(ask("hello there"));
  const streamed = await client.messages.stream(ask("hello there")).finalMessage();
  assert.deepEqual(whole.content, [{ type: "text", text: "hello there", citations: null }]);
  assert.equal(streamed.content[0]?.type === "text" && streamed.content[0].text, "hello there");
  assert.equal(streamed.stop_reason, "end_turn");
  assert.deepEqual(
    [streamed.usage.input_tokens, streamed.usage.output_tokens],
    [whole.usage.input_tokens, whole.usage.output_tokens],
  );
});

test("thinking goes back byte for byte, or is refused", async () => {
  const params = ask("get_weather and get_time", { tools, thinking });
  const whole = await client.messages.create(params);
  const streamed = await client.messages.stream(params).finalMessage();
  assert.deepEqual(
    whole.content.map((block) => block.type),
    ["thinking", "tool_use", "tool_use"],
  );
  const shape = (message: Anthropic.Message): unknown =>
    message.content.map((block) => (block.type === "tool_use" ? [block.name, block.input] : block));
  assert.deepEqual(shape(streamed), shape(whole));
  const results = whole.content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({ type: "tool_result" as const, tool_use_id: block.id, content: `for ${block.name}` }));
  const answer = async (content: Anthropic.ContentBlockParam[]): Promise<Anthropic.Message> =>
    client.messages.create({
      ...params,
      messages: [...params.messages, { role: "assistant", content }, { role: "user", content: results }],
    });
  const final = await answer(whole.content);
  const text = final.content.find((block) => block.type === "text")?.text;
  assert.equal(text, "tool results: for get_weather; for get_time");
  const changed = whole.content.map((block) =>
    block.type === "thinking" ? { ...block, thinking: `${block.thinking} ` } : block,
  );
  await assert.rejects(answer(changed), /Invalid `signature`/);
  await assert.rejects(answer(whole.content.slice(1)), /Expected `thinking`/);
});

test("redacted and omitted thinking", async () => {
  const redacted = await client.messages.stream(ask("x", { model: "m?reasoning=redacted" })).finalMessage();
  assert.equal(redacted.content[0]?.type, "redacted_thinking");
  const omitted = await client.messages.create(ask("x", { thinking: { ...thinking, display: "omitted" } }));
  assert.equal(omitted.content[0]?.type === "thinking" && omitted.content[0].thinking, "");
  const content = [...redacted.content, ...omitted.content] as Anthropic.ContentBlockParam[];
  await client.messages.create({
    ...ask("x"),
    messages: [
      { role: "user", content: "x" },
      { role: "assistant", content },
      { role: "user", content: "y" },
    ],
  });
});

test("structured output satisfies the schema", async () => {
  const schema = z.object({ name: z.string(), sizes: z.array(z.number()) });
  const message = await client.messages.parse(ask("make", { output_config: { format: zodOutputFormat(schema) } }));
  assert.deepEqual(message.parsed_output, { name: "name: make", sizes: [0.5, 0.5] });
});

test("caches up to the marks only, and says what it wrote", async () => {
  const system = [{ type: "text" as const, text: "rule ".repeat(400), cache_control: { type: "ephemeral" as const } }];
  const without = await client.messages.create(ask("q", { system: "rule ".repeat(400) }));
  assert.equal(without.usage.cache_read_input_tokens, 0);
  simulator.reset();
  const first = await client.messages.create(ask("q", { system }));
  const second = await client.messages.create(ask("another question", { system }));
  assert.equal(first.usage.cache_creation_input_tokens, 502);
  assert.equal(second.usage.cache_read_input_tokens, 448);
  const total = (usage: Anthropic.Usage): number =>
    usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  assert.equal(total(first.usage), total(without.usage));
});

test("counts tokens as a message would", async () => {
  const { max_tokens: _unused, ...params } = ask("count me", { tools });
  const { input_tokens } = await client.messages.countTokens(params);
  assert.equal(input_tokens, (await client.messages.create(ask("count me", { tools }))).usage.input_tokens);
});

test("lists models", async () => {
  assert.deepEqual(
    (await client.models.list()).data.map((model) => model.id),
    ["simulated"],
  );
  assert.equal((await client.models.retrieve("simulated")).type, "model");
});

const REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ["a field of another dialect", { frequency_penalty: 1 }, /frequency_penalty: Extra inputs/],
  ["an empty text", { messages: [{ role: "user", content: [{ type: "text", text: "" }] }] }, /non-empty/],
  ["a small thinking budget", { thinking: { type: "enabled", budget_tokens: 10 } }, /1024/],
  ["thinking with a forced tool", { thinking, tools, tool_choice: { type: "any" } }, /forces tool use/],
  ["a tool without schema type", { tools: [{ name: "t", input_schema: {} }] }, /input_schema.type/],
  [
    "an open schema",
    { output_config: { format: { type: "json_schema", schema: { type: "object" } } } },
    /additionalProperties/,
  ],
  [
    "an unanswered call",
    {
      messages: [
        { role: "user", content: "x" },
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "n", input: {} }] },
        { role: "user", content: "y" },
      ],
    },
    /t1/,
  ],
  [
    "a result of no call",
    { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "t2", content: "r" }] }] },
    /t2/,
  ],
  [
    "five cache marks",
    {
      messages: [
        {
          role: "user",
          content: Array.from({ length: 5 }, () => ({ type: "text", text: "x", cache_control: { type: "ephemeral" } })),
        },
      ],
    },
    /maximum of 4/,
  ],
];

for (const [what, change, message] of REFUSED) {
  test(`refuses ${what}`, async () => {
    const params = { ...ask("x"), ...change };
    await assert.rejects(client.messages.create(params), (error) => {
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.equal(error.type, "invalid_request_error");
      assert.match(error.message, message);
      return true;
    });
  });
}
