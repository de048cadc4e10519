import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIALECTS } from "../dialects/builtin.ts";
import { OperationTable } from "./operations.ts";

const both = new OperationTable([DIALECTS.openai, DIALECTS.anthropic]);
const openaiOnly = new OperationTable([DIALECTS.openai]);

describe("operations of a route", () => {
  for (const [path, operation, dialect] of [
    ["/chat/completions", "chat", "openai"],
    ["/v1/chat/completions", "chat", "openai"],
    ["/completions", "completions", "openai"],
    ["/embeddings", "embeddings", "openai"],
    ["/messages", "chat", "anthropic"],
    ["/v1/messages/count_tokens", "count_tokens", "anthropic"],
  ] as const) {
    test(`POST ${path}`, () => {
      const match = both.find(path, "POST", false);
      assert.ok(match !== undefined && "operation" in match);
      assert.deepEqual([match.operation, match.dialect.name, match.argument], [operation, dialect, ""]);
    });
  }

  test("where two dialects have one path the client's header decides, and where one has it, that one answers", () => {
    for (const [table, prefersAnthropic, expected] of [
      [both, false, "openai"],
      [both, true, "anthropic"],
      [openaiOnly, true, "openai"],
    ] as const) {
      const match = table.find("/models", "GET", prefersAnthropic);
      assert.ok(match !== undefined && "operation" in match);
      assert.equal(match.dialect.name, expected);
    }
  });

  test("a model's id is what the path encodes, slashes and all", () => {
    for (const [path, id] of [
      ["/models/gpt-5.1", "gpt-5.1"],
      ["/v1/models/meta-llama/Llama-3.3-70B:free", "meta-llama/Llama-3.3-70B:free"],
      ["/models/%E6%A8%A1%E5%9E%8B", "模型"],
      ["/models/100%25", "100%"],
    ] as const) {
      const match = both.find(path, "GET", false);
      assert.ok(match !== undefined && "operation" in match);
      assert.deepEqual([match.operation, match.argument], ["models.get", id]);
    }
  });

  test("what is no path of an operation is none", () => {
    for (const path of ["", "/", "/v1", "/v1/", "/models/", "/modelsx", "/chat", "/messages/", "/CHAT/completions"]) {
      assert.equal(both.find(path, "GET", false), undefined, path);
    }
    assert.equal(openaiOnly.find("/messages", "POST", true), undefined);
  });

  test("an id that is not UTF-8 names no model, and is no fault of ours", () => {
    for (const path of ["/models/%ff", "/models/%E6%A8", "/v1/models/a%C3"]) {
      assert.equal(both.find(path, "GET", false), undefined, path);
    }
  });

  test("another method is told which ones there are, each once", () => {
    assert.deepEqual(both.find("/models", "DELETE", false), ["GET"]);
    assert.deepEqual(both.find("/models/x", "POST", false), ["GET"]);
    assert.deepEqual(both.find("/v1/messages", "GET", false), ["POST"]);
  });

  test("an exact route stands for the longest path that it ends in", () => {
    assert.equal(both.suffixOf("/v1/chat/completions"), "/chat/completions");
    assert.equal(both.suffixOf("/team/completions"), "/completions");
    assert.equal(both.suffixOf("/v1/messages/count_tokens"), "/messages/count_tokens");
    assert.equal(both.suffixOf("/v1/other"), undefined);
    assert.equal(openaiOnly.suffixOf("/v1/messages"), undefined);
  });
});
