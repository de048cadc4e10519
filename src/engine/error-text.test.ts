import assert from "node:assert/strict";
import { test } from "node:test";
import { secretsOf, withoutSecrets } from "./error-text.ts";

test("secrets are the credential and what headers hold that are named for it, in both spellings", () => {
  const headers = { "x-api-key": 'k"ey-1234', authorization: "Basic abcdef==", "anthropic-beta": "interleaved" };
  assert.deepEqual(secretsOf("credential-1", headers), ["credential-1", 'k\\"ey-1234', 'k"ey-1234', "abcdef=="]);
  assert.deepEqual(secretsOf("", {}), []);
  assert.deepEqual(secretsOf("short", {}), [], "ordinary words would go with it");
});

test("they go wherever they stand", () => {
  const endpoint = { secrets: secretsOf("credential-1", { "x-key": "credential-12" }) };
  assert.equal(withoutSecrets("credential-12, credential-1!", endpoint), "[key], [key]!");
});
