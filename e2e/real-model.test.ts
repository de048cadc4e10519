/** A real model: llama.cpp's server with SmolLM2-135M behind the gateway. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before, type TestContext } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { Cleanups, startGateway, testKey, until, type RunningGateway } from "./harness.ts";
import { requirePart, startLlamaServer, type LlamaServer } from "./parts.ts";

const cleanups = new Cleanups();
let llama: LlamaServer | undefined;
let gateway: RunningGateway;
let openai: OpenAI;
let anthropic: Anthropic;

before(async () => {
  const server = await startLlamaServer();
  llama = server;
  if (server === undefined) return;
  cleanups.after(async () => server.stop());
  const { key, hash } = testKey("real model");
  gateway = await startGateway(cleanups, {
    config: {
      providers: [
        { name: "llama", dialect: "openai", engine: "llamacpp", nodes: [`${server.url}/v1`] },
        { name: "llama-messages", dialect: "anthropic", engine: "llamacpp", nodes: [server.url] },
      ],
      models: [
        { name: "small", targets: [{ provider: "llama", model: "smollm2" }], retry: { attempts: 0 } },
        { name: "small-messages", targets: [{ provider: "llama-messages", model: "smollm2" }], retry: { attempts: 0 } },
      ],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: gateway.url, apiKey: key, maxRetries: 0 });
});
after(async () => {
  await cleanups.run();
});

const QUESTION = [{ role: "user" as const, content: "What is the capital of France? Answer in one short sentence." }];
const SETTINGS = { temperature: 0, seed: 1 };

/** Requests that the engine works on at this moment, as it counts them itself. */
async function processing(): Promise<number> {
  const text = await (await fetch(`${llama?.url}/metrics`)).text();
  return Number(/^llamacpp:requests_processing (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}

function chatTest(name: string, run: (t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    if (requirePart(t, "llama")) await run(t);
  });
}

chatTest("chat, whole and streamed, says the same", async () => {
  const request = { model: "small", messages: QUESTION, max_completion_tokens: 40, ...SETTINGS };
  const whole = await openai.chat.completions.create(request);
  const text = whole.choices[0]?.message.content ?? "";
  assert.match(text, /Paris/);
  assert.ok((whole.usage?.prompt_tokens ?? 0) > 10 && (whole.usage?.completion_tokens ?? 0) > 2);
  const streamed = await openai.chat.completions
    .stream({ ...request, stream_options: { include_usage: true } })
    .finalChatCompletion();
  assert.equal(streamed.choices[0]?.message.content, text);
  assert.equal(streamed.usage?.completion_tokens, whole.usage?.completion_tokens);
});

chatTest("the Anthropic SDK, through both of the engine's dialects", async () => {
  for (const model of ["small", "small-messages"]) {
    const request = { model, max_tokens: 40, messages: QUESTION };
    const whole = await anthropic.messages.create(request);
    assert.equal(whole.content[0]?.type, "text", JSON.stringify(whole.content));
    assert.ok(whole.usage.input_tokens + (whole.usage.cache_read_input_tokens ?? 0) > 10);
    const streamed = await anthropic.messages.stream(request).finalMessage();
    assert.ok(streamed.usage.output_tokens > 2);
  }
});

chatTest("an abort in mid-stream frees the engine's slot within a second", async () => {
  const requestId = randomUUID();
  const abort = new AbortController();
  const stream = await openai.chat.completions.create(
    {
      model: "small",
      stream: true,
      messages: [{ role: "user", content: "Write a very long story about a river." }],
      max_completion_tokens: 1500,
    },
    { signal: abort.signal, headers: { "x-request-id": requestId } },
  );
  let chunks = 0;
  let left = 0;
  for await (const _chunk of stream) {
    chunks += 1;
    if (chunks !== 5) continue;
    assert.equal(await processing(), 1);
    left = performance.now();
    abort.abort();
  }
  await until("the engine's slot is free", async () => ((await processing()) === 0 ? true : undefined), 3000);
  assert.ok(performance.now() - left < 1000, `freed after ${performance.now() - left} ms`);
  const entry = await gateway.entryOf(requestId);
  assert.equal(entry.outcome, "aborted");
  assert.ok(entry.completionTokens >= 4);
});

chatTest("embeddings, in numbers and in base64", async () => {
  const request = { model: "small", input: ["a river", "a stream", "tax law"] };
  const numbers = await openai.embeddings.create({ ...request, encoding_format: "float" });
  const decoded = await openai.embeddings.create({ ...request, encoding_format: "base64" });
  assert.equal(numbers.data.length, 3);
  assert.equal(numbers.data[0]?.embedding.length, 576);
  const bytes = Buffer.from(decoded.data[0]?.embedding as unknown as string, "base64");
  assert.ok(Math.abs(bytes.readFloatLE(0) - (numbers.data[0]?.embedding[0] ?? 0)) < 1e-5);
});

chatTest("a prompt longer than the context is a 400 of the engine's", async () => {
  const messages = [{ role: "user" as const, content: "river ".repeat(4000) }];
  await assert.rejects(openai.chat.completions.create({ model: "small", messages }), OpenAI.BadRequestError);
});
