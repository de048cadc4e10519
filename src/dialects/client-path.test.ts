import assert from "node:assert/strict";
import { test } from "node:test";
import { clientPath, messagePath, partPath } from "./client-path.ts";
import type { ChatRequest, Message } from "./form.ts";

const SYSTEM: Message = { role: "system", content: [] };
const USER: Message = { role: "user", content: [] };

function request(origin: "openai" | "anthropic", messages: Message[]): ChatRequest {
  return { origin, model: "m", messages, stream: false, includeUsage: false };
}

test("each dialect writes paths in its own notation", () => {
  assert.equal(clientPath("openai", "tools", 1, "function", "name"), "tools[1].function.name");
  assert.equal(clientPath("anthropic", "tools", 1, "name"), "tools.1.name");
  assert.equal(clientPath("anthropic", "", "top_k"), "top_k");
});

test("messages are counted as the client counts them", () => {
  const fromOpenai = request("openai", [SYSTEM, USER]);
  assert.equal(messagePath(fromOpenai, 1), "messages[1]");
  assert.equal(partPath(fromOpenai, 1, 2), "messages[1].content[2]");
  const fromAnthropic = request("anthropic", [SYSTEM, USER]);
  assert.equal(messagePath(fromAnthropic, 0), "system");
  assert.equal(partPath(fromAnthropic, 0, 3), "system.3");
  assert.equal(partPath(fromAnthropic, 1, 0), "messages.0.content.0");
  assert.equal(messagePath(request("anthropic", [USER, SYSTEM]), 1), "messages.1");
});
