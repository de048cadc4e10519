import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { startSimulator, type Simulator } from "./simulator.ts";

let simulator: Simulator;
let client: OpenAI;
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { enum: ["c", "f"] } },
      required: ["city"],
    },
  },
};
const time = {
  type: "function" as const,
  function: { name: "get_time", parameters: { type: "object", properties: {} } },
};
const PIXEL = "data:image/png;base64,iVBORw0KGgo=";

before(async () => {
  simulator = await startSimulator();
  client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
});
beforeEach(() => {
  simulator.reset();
});
after(async () => {
  await simulator.close();
});

test("echoes the last user message and counts its tokens", async () => {
  const answer = await client.chat.completions.create({
    model: "m",
    messages: [
      { role: "system", content: "be brief" },
      { role: "user", content: "hello 😀" },
    ],
  });
  assert.equal(answer.choices[0]?.message.content, "hello 😀");
  assert.equal(answer.choices[0]?.finish_reason, "stop");
  assert.equal(answer.usage?.completion_tokens, 2);
  assert.equal(answer.usage?.total_tokens, (answer.usage?.prompt_tokens ?? 0) + 2);
});

test("streams what it would answer whole, and usage when asked", async () => {
  const stream = client.chat.completions.stream({
    model: "m",
    stream_options: { include_usage: true },
    messages: [{ role: "user", content: "one two three four" }],
  });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0]?.message.content, "one two three four");
  assert.equal(final.usage?.completion_tokens, 5);
  const plain = await client.chat.completions.create({
    model: "m",
    stream: true,
    messages: [{ role: "user", content: "x" }],
  });
  for await (const chunk of plain) assert.equal(chunk.usage, undefined);
});

for (const order of ["", "&interleave=1"]) {
  test(`parallel tool calls streamed equal those not streamed${order}`, async () => {
    const request = {
      model: `m?calls=3${order}`,
      tools: [weather, time],
      messages: [{ role: "user" as const, content: "get_weather and get_time" }],
    };
    const whole = await client.chat.completions.create(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    const calls = (of: OpenAI.ChatCompletion): unknown =>
      of.choices[0]?.message.tool_calls?.map((call) =>
        call.type === "function" ? [call.function.name, call.function.arguments] : [],
      );
    assert.deepEqual(calls(streamed), calls(whole));
    assert.equal(whole.choices[0]?.message.tool_calls?.length, 3);
    assert.equal(streamed.choices[0]?.finish_reason, "tool_calls");
  });
}

test("answers a tool's result instead of calling again", async () => {
  const answer = await client.chat.completions.create({
    model: "m",
    tools: [time],
    messages: [
      { role: "user", content: "get_time" },
      {
        role: "assistant",
        tool_calls: [{ id: "c1", type: "function", function: { name: "get_time", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c1", content: "noon" },
    ],
  });
  assert.equal(answer.choices[0]?.message.content, "tool results: noon");
});

test("structured output satisfies the schema", async () => {
  const schema = z.object({ name: z.string(), tags: z.array(z.string()), size: z.number().int().min(5) });
  const answer = await client.chat.completions.parse({
    model: "m",
    response_format: zodResponseFormat(schema, "thing"),
    messages: [{ role: "user", content: "make one" }],
  });
  assert.deepEqual(answer.choices[0]?.message.parsed, {
    name: "name: make one",
    tags: ["tags: make one 1", "tags: make one 2"],
    size: 5,
  });
});

test("reasoning, stop sequences, limits and candidates", async () => {
  const messages = [{ role: "user" as const, content: "alpha STOP beta" }];
  const thinking = await client.chat.completions.create({ model: "m", reasoning_effort: "low", messages });
  assert.match(JSON.stringify(thinking.choices[0]?.message), /"reasoning_content":"Let me think about/);
  assert.ok((thinking.usage?.completion_tokens_details?.reasoning_tokens ?? 0) > 0);
  const tags = await client.chat.completions.create({ model: "m?reasoning=think", messages });
  assert.match(tags.choices[0]?.message.content ?? "", /^<think>\n[^<]*<\/think>\n\nalpha STOP beta$/);
  const stopped = await client.chat.completions.create({ model: "m", stop: ["STOP", "none"], n: 2, messages });
  assert.deepEqual(
    stopped.choices.map((choice) => choice.message.content),
    ["alpha ", "alpha "],
  );
  const short = await client.chat.completions.create({ model: "m", max_completion_tokens: 2, messages });
  assert.equal(short.choices[0]?.message.content, "alpha ST");
  assert.equal(short.choices[0]?.finish_reason, "length");
});

test("counts images and reports cached tokens", async () => {
  const content = [
    { type: "text" as const, text: "look ".repeat(300) },
    { type: "image_url" as const, image_url: { url: PIXEL } },
  ];
  const ask = async (): Promise<OpenAI.ChatCompletion> =>
    client.chat.completions.create({ model: "m", messages: [{ role: "user", content }] });
  const first = await ask();
  const second = await ask();
  assert.match(first.choices[0]?.message.content ?? "", /\[1 image\]$/);
  assert.equal(first.usage?.prompt_tokens_details?.cached_tokens, 0);
  assert.equal(second.usage?.prompt_tokens_details?.cached_tokens, 384);
});

test("embeddings in base64 are those in numbers", async () => {
  const input = ["a", "b"];
  const numbers = await client.embeddings.create({ model: "m", input, encoding_format: "float", dimensions: 16 });
  const decoded = await client.embeddings.create({ model: "m", input, dimensions: 16 });
  assert.deepEqual(
    decoded.data.map((entry) => entry.embedding),
    numbers.data.map((entry) => entry.embedding),
  );
  assert.equal(numbers.data[0]?.embedding.length, 16);
  assert.notDeepEqual(numbers.data[0]?.embedding, numbers.data[1]?.embedding);
});

test("completions, whole and streamed", async () => {
  const whole = await client.completions.create({ model: "m", prompt: "say it", max_tokens: 100 });
  assert.equal(whole.choices[0]?.text, "say it");
  const stream = await client.completions.create({ model: "m", prompt: "say it", stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, "say it");
});

test("lists models and refuses unknown ones where it has a list", async () => {
  const strict = await startSimulator({ models: ["a"], apiKeys: ["sk-right"], strict: true });
  try {
    const right = new OpenAI({ baseURL: `${strict.url}/v1`, apiKey: "sk-right", maxRetries: 0 });
    const wrong = new OpenAI({ baseURL: `${strict.url}/v1`, apiKey: "sk-wrong", maxRetries: 0 });
    assert.deepEqual(
      (await right.models.list()).data.map((model) => model.id),
      ["a"],
    );
    assert.equal((await right.models.retrieve("a")).id, "a");
    const messages = [{ role: "user" as const, content: "x" }];
    await assert.rejects(right.chat.completions.create({ model: "b", messages }), OpenAI.NotFoundError);
    await assert.rejects(wrong.chat.completions.create({ model: "a", messages }), OpenAI.AuthenticationError);
    const unknown = { model: "a", messages, thinking: { type: "enabled" } };
    await assert.rejects(
      right.chat.completions.create(unknown),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "thinking",
    );
  } finally {
    await strict.close();
  }
});

test("refuses a tool call without its result", async () => {
  const call = { id: "c1", type: "function" as const, function: { name: "get_time", arguments: "{}" } };
  await assert.rejects(
    client.chat.completions.create({
      model: "m",
      messages: [
        { role: "user", content: "x" },
        { role: "assistant", tool_calls: [call] },
        { role: "user", content: "well?" },
      ],
    }),
    /c1/,
  );
});
