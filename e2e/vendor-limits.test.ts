/** What vendors say is left of their own limits moves traffic before anything is refused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { DialectName } from "../src/dialects/form.ts";
import { cannedAnswer } from "./canned.ts";
import { read } from "./client.ts";
import { startGateway, testKey } from "./harness.ts";

/** A vendor that tells each key what is left; resolves to its URL and the keys that came. */
async function vendor(t: TestContext, dialect: DialectName, told: (key: string, hits: number) => object) {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    const key = String(request.headers["x-api-key"] ?? request.headers.authorization?.slice("Bearer ".length));
    keys.push(key);
    request.resume();
    request.on("end", () => {
      response.writeHead(200, {
        "content-type": "application/json",
        ...told(key, keys.filter((other) => other === key).length),
      });
      response.end(cannedAnswer(dialect, "hello"));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, keys };
}

function exhausted(dialect: DialectName): object {
  return dialect === "openai"
    ? { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s" }
    : {
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": new Date(Date.now() + 30_000).toISOString(),
      };
}

for (const dialect of ["openai", "anthropic"] as const) {
  test(`${dialect}: a credential with nothing left rests until its vendor says there is more`, async (t) => {
    const { url, keys } = await vendor(t, dialect, (key) => (key === "first" ? exhausted(dialect) : {}));
    const { key, hash } = testKey("vendor-limits");
    const credentials = ["first", "second"].map((name) => ({ name, apiKey: name }));
    const gateway = await startGateway(t, {
      config: {
        providers: [{ name: "vendor", dialect, baseUrl: dialect === "openai" ? `${url}/v1` : url, credentials }],
        models: [{ name: "index", targets: [{ provider: "vendor", model: "m" }] }],
        consumers: [{ name: "search", grants: [{ model: "*" }], keys: [{ name: "prod", hash }] }],
      },
      workers: 1,
    });
    for (let count = 0; count < 6; count++) {
      const answer = await read({ url: gateway.url, key, dialect, model: "index", content: "hi", stream: false });
      assert.equal(answer.status, 200);
    }
    assert.equal(keys.filter((used) => used === "first").length, 1);
  });
}

test("a limit of ours that the vendor knows to be fuller is believed to be", async (t) => {
  const { url, keys } = await vendor(t, "openai", (_key, hits) => ({
    "x-ratelimit-remaining-requests": String(3 - hits),
    "x-ratelimit-reset-requests": "1m0s",
  }));
  const { key, hash } = testKey("vendor-limits");
  const gateway = await startGateway(t, {
    config: {
      providers: [
        {
          name: "vendor",
          dialect: "openai",
          baseUrl: `${url}/v1`,
          credentials: [{ name: "only", apiKey: "only", limits: { rpm: 10 } }],
        },
      ],
      models: [{ name: "index", targets: [{ provider: "vendor", model: "m" }] }],
      consumers: [{ name: "search", grants: [{ model: "*" }], keys: [{ name: "prod", hash }] }],
    },
    workers: 2,
  });
  const statuses: number[] = [];
  for (let count = 0; count < 4; count++) {
    const call = { url: gateway.url, key, dialect: "openai", model: "index", content: "hi", stream: false } as const;
    statuses.push((await read(call)).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  assert.equal(keys.length, 3);
});
