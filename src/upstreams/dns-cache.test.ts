import assert from "node:assert/strict";
import { test } from "node:test";
import { DnsCache } from "./dns-cache.ts";

type Answer = [error: Error | null, addresses: { address: string; family: number }[]];

/** A cache over a resolver that gives the answers in turn, and the hosts it was asked for. */
function cacheOf(answers: Answer[], ttlMs: number): { cache: DnsCache; asked: string[] } {
  const asked: string[] = [];
  const cache = new DnsCache(ttlMs, 2, (hostname, _options, callback) => {
    asked.push(hostname);
    const [error, addresses] = answers[Math.min(asked.length, answers.length) - 1]!;
    setImmediate(callback, error, addresses);
  });
  return { cache, asked };
}

function lookup(cache: DnsCache, hostname: string): Promise<string> {
  return new Promise((resolve, reject) => {
    cache.lookup(hostname, {}, (error, address) => {
      if (error === null) {
        resolve(String(address));
      } else {
        reject(error);
      }
    });
  });
}

const ONE: Answer = [null, [{ address: "192.0.2.1", family: 4 }]];
const TWO: Answer = [null, [{ address: "192.0.2.2", family: 4 }]];
const FAILED: Answer = [Object.assign(new Error("no"), { code: "EAI_AGAIN" }), []];

test("concurrent look-ups share one query, and its answer is kept", async () => {
  const { cache, asked } = cacheOf([ONE], 60_000);
  assert.deepEqual(await Promise.all([lookup(cache, "a"), lookup(cache, "a")]), ["192.0.2.1", "192.0.2.1"]);
  await lookup(cache, "a");
  assert.deepEqual(asked, ["a"]);
});

test("an answer expires, and stays in use when the resolver fails", async () => {
  const { cache, asked } = cacheOf([ONE, FAILED, TWO], 0);
  assert.equal(await lookup(cache, "a"), "192.0.2.1");
  assert.equal(await lookup(cache, "a"), "192.0.2.1");
  assert.equal(await lookup(cache, "a"), "192.0.2.2");
  assert.equal(asked.length, 3);
});

test("a name without addresses is an error", async () => {
  const { cache } = cacheOf([[null, []]], 60_000);
  await assert.rejects(lookup(cache, "a"), { code: "ENOTFOUND" });
});
