import assert from "node:assert/strict";
import { test } from "node:test";
import { anthropic } from "./anthropic.ts";

test("models, as Anthropic lists them", () => {
  const models = [
    { id: "index", created: 1_760_000_000, ownedBy: "sluice" },
    { id: "claude-opus-4-8", created: 0, ownedBy: "sluice" },
  ];
  assert.deepEqual(anthropic.client.encodeModelList(models), {
    data: [
      { type: "model", id: "index", display_name: "index", created_at: "2025-10-09T08:53:20Z" },
      { type: "model", id: "claude-opus-4-8", display_name: "claude-opus-4-8", created_at: "1970-01-01T00:00:00Z" },
    ],
    has_more: false,
    first_id: "index",
    last_id: "claude-opus-4-8",
  });
  assert.deepEqual(anthropic.client.encodeModelList([]), { data: [], has_more: false, first_id: null, last_id: null });
  assert.deepEqual(anthropic.client.encodeTokenCount(7), { input_tokens: 7 });
});

test("paths and headers towards a provider", () => {
  const { target } = anthropic;
  assert.equal(target.path("chat", "m", true), "/messages");
  assert.equal(target.path("count_tokens", "m", false), "/messages/count_tokens");
  assert.equal(target.path("models.get", "a/b", false), "/models/a%2Fb");
  assert.equal(target.path("embeddings", "m", false), null);
  assert.deepEqual(target.credentialHeaders("k"), ["x-api-key", "k", "anthropic-version", "2023-06-01"]);
  const secret = target.forwardedHeaders.filter((name) => ["x-api-key", "authorization"].includes(name));
  assert.deepEqual(secret, [], "a client's key never reaches a provider");
});
