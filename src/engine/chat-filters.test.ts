import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestFilter } from "../filters/contract.ts";
import { applyChatFilters } from "./chat-filters.ts";
import type { Exchange } from "./exchange.ts";

function apply(body: string, ...chat: NonNullable<RequestFilter["chat"]>[]): string {
  const exchange = {
    route: { chat },
    caller: {},
    dialect: { name: "openai" },
    engine: { models: { find: () => undefined } },
    services: { name: () => "x" },
  } as unknown as Exchange;
  return applyChatFilters(exchange, "chat", Buffer.from(body)).toString();
}

const BODY = '{"model":"m", "messages":[{"id":9007199254740993}],"metadata":{"a":1}}';

test("what filters change is written, all else stays bytes; each sees what those before it made", () => {
  const changed = apply(
    BODY,
    (_, { messages }) => ({ messages: [...(messages as []), "one"] }),
    (_, { messages, metadata }) => ({ messages: [...(messages as []), "two"], system: metadata }),
  );
  const messages = '[{"id":9007199254740993},"one","two"]';
  assert.equal(changed, `{"model":"m", "messages":${messages},"metadata":{"a":1},"system":{"a":1}}`);
  assert.equal(
    apply(BODY, () => ({})),
    BODY,
  );
});

test("a member is parsed once, and only when a filter looks at it", () => {
  const seen: unknown[] = [];
  apply(
    BODY,
    (_, members) => {
      assert.ok(Object.getOwnPropertyDescriptor(members, "messages")?.get !== undefined);
      seen.push(members["messages"]);
      return {};
    },
    (_, members) => {
      seen.push(members["messages"]);
      assert.ok(Object.getOwnPropertyDescriptor(members, "metadata")?.get !== undefined);
      return {};
    },
  );
  assert.equal(seen[0], seen[1]);
});
