import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createUsageBuffer } from "../ledger/usage-layout.ts";
import { UsageWriter } from "../ledger/usage-writer.ts";
import { handleRequest } from "./handle.ts";
import type { EngineLease } from "./lease.ts";
import { clientRequest } from "./node-request.ts";
import type { Services } from "./services.ts";

test("a request for which there is no room is refused in the client's dialect, and told when to come back", async (t) => {
  const usage = new UsageWriter(createUsageBuffer(1));
  usage.open("the only one", 0);
  const endedEarly: string[] = [];
  class Answer extends ServerResponse {
    cutOff(): void {
      assert.fail("it is whole");
    }

    endEarly(): void {
      endedEarly.push(this.req.method ?? "");
      this.req.resume();
      this.end();
    }
  }
  const services = { usage } as unknown as Services;
  const server = createServer({ ServerResponse: Answer }, (request, response) => {
    assert.equal(handleRequest(clientRequest(request), response, {} as EngineLease, services), undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/models`;

  const openai = await fetch(url, { headers: { "x-request-id": "mine" } });
  const { error } = (await openai.json()) as { error: { type: string; code: string } };
  assert.deepEqual([openai.status, error.type, error.code], [503, "server_error", "overloaded"]);
  const shown = ["x-request-id", "retry-after", "retry-after-ms", "connection"].map((name) => openai.headers.get(name));
  assert.deepEqual(shown, ["mine", "1", "1000", "close"]);

  const headers = { "anthropic-version": "2023-06-01", "x-request-id": "mine" };
  const anthropic = await fetch(url, { method: "POST", headers, body: "x".repeat(1_000_000) });
  const body = (await anthropic.json()) as { type: string; error: { type: string }; request_id: string };
  assert.deepEqual([anthropic.status, body.error.type, body.request_id], [503, "overloaded_error", "mine"]);
  assert.equal(anthropic.headers.get("request-id"), "mine");
  assert.deepEqual(endedEarly, ["POST"], "the answer reaches a client that still sends");
});
