/** A start without configuration: the built-in test model answers the first key. */
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { startGateway } from "./harness.ts";

test("without configuration, echo answers in both dialects and says what it is", async (t) => {
  const gateway = await startGateway(t, {});
  const key = /sk-sluice-[\w-]+/.exec(gateway.log())?.[0];
  assert.ok(key, gateway.log());
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const messages = [{ role: "user" as const, content: "Hello, Sluice!" }];
  const answer = await openai.chat.completions.create({ model: "echo", messages });
  assert.match(answer.choices[0]?.message.content ?? "", /test model.*Hello, Sluice!/);
  assert.ok((answer.usage?.total_tokens ?? 0) > 0);
  let streamed = "";
  for await (const chunk of await openai.chat.completions.create({ model: "echo", stream: true, messages })) {
    streamed += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(streamed, answer.choices[0]?.message.content);
  const embeddings = await openai.embeddings.create({ model: "echo", input: "x", dimensions: 8 });
  assert.equal(embeddings.data[0]?.embedding.length, 8);
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: key, maxRetries: 0 });
  const message = await anthropic.messages.stream({ model: "echo", max_tokens: 100, messages }).finalMessage();
  assert.match(message.content[0]?.type === "text" ? message.content[0].text : "", /Hello, Sluice!/);
  const ids = (await openai.models.list()).data.map((model) => model.id);
  assert.deepEqual(ids, ["echo"]);
  await gateway.stop();
});
