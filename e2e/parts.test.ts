// That the test parts are what they claim to be, so that a failure in another end-to-end test is not theirs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import OpenAI from "openai";
import { pythonPath, redisPath, requirePart, startLlamaServer, valkeyPath } from "./parts.ts";

test("python part imports the pinned openai and anthropic packages", async (t) => {
  if (!requirePart(t, "python")) return;
  const program = "import openai, anthropic; print(openai.__version__, anthropic.__version__)";
  const { stdout } = await promisify(execFile)(pythonPath() ?? "", ["-c", program]);
  assert.equal(stdout.trim(), "3.54.0 2.12.0");
});

test("llama part answers chat, streams and embeddings from the real model, and stops", async (t) => {
  if (!requirePart(t, "llama")) return;
  const server = await startLlamaServer();
  assert.ok(server);
  t.after(() => server.stop());
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  const request = {
    model: "smollm2",
    messages: [{ role: "user" as const, content: "Say hello." }],
    temperature: 0,
    max_tokens: 16,
  };

  const answer = await client.chat.completions.create(request);
  assert.match(answer.choices[0]?.message.content ?? "", /hello/i);
  assert.equal(answer.model, "smollm2");
  assert.ok((answer.usage?.completion_tokens ?? 0) > 0);

  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    streamed += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(streamed, answer.choices[0]?.message.content);

  const embeddings = await client.embeddings.create({ model: "smollm2", input: ["hello world", "goodbye"] });
  assert.deepEqual(
    embeddings.data.map((item) => item.embedding.length),
    [576, 576],
  );

  await server.stop();
  await assert.rejects(client.models.list(), OpenAI.APIConnectionError);
});

test("redis and valkey parts are servers of versions that are supported", async (t) => {
  for (const [part, path, product] of [
    ["redis", redisPath(), "Redis"],
    ["valkey", valkeyPath(), "Valkey"],
  ] as const) {
    if (!requirePart(t, part)) return;
    const { stdout } = await promisify(execFile)(path ?? "", ["--version"]);
    assert.match(stdout, new RegExp(`^${product} server v=([6-9]|\\d\\d)\\.`));
  }
});
