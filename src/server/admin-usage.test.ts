import assert from "node:assert/strict";
import { test } from "node:test";
import { answerUsage, isUsagePath } from "./admin-usage.ts";
import type { UsageAnswer, UsageQuestion } from "./messages.ts";
import { LoaderUnavailable } from "./loader-desk.ts";

async function questionOf(target: string): Promise<UsageQuestion | string> {
  let asked: UsageQuestion | undefined;
  const answer = await answerUsage(target, (question) => {
    asked = question;
    return Promise.resolve({ outcome: "page", body: "{}" });
  });
  if (asked !== undefined) return asked;
  const { error } = JSON.parse(answer.body) as { readonly error: { readonly code: string; readonly message: string } };
  assert.deepEqual([answer.status, error.code], [400, "invalid_request"]);
  return error.message;
}

async function errorOf(answer: UsageAnswer, target = "/admin/v1/usage"): Promise<[number, string, string]> {
  const { status, body } = await answerUsage(target, () => Promise.resolve(answer));
  const { error } = JSON.parse(body) as { readonly error: { readonly code: string; readonly message: string } };
  return [status, error.code, error.message];
}

test("paths: these two and no other spelling of them", () => {
  for (const path of ["/admin/v1/usage", "/admin/v1/consumers/a/usage", "/admin/v1/consumers/%2e%2e/usage"]) {
    assert.ok(isUsagePath(path), path);
  }
  const others = [
    "/admin/v1/usage/",
    "//admin/v1/usage",
    "/admin/v1/./usage",
    "/admin/v1/usage;a=b",
    "/Admin/v1/usage",
  ];
  others.push("/admin/v1/consumers//usage", "/admin/v1/consumers/a/b/usage", "/admin/v1/consumers/a/usage/");
  others.push("/admin/v1/%75sage", "http://x/admin/v1/usage", "/admin/v1/consumers/a/usage\n", "/x/admin/v1/usage");
  for (const path of others) assert.ok(!isUsagePath(path), path);
});

test("parameters: decoded, known, once, within their ranges", async () => {
  assert.deepEqual(await questionOf("/admin/v1/usage"), { limit: 100 });
  assert.deepEqual(await questionOf("/admin/v1/usage?"), { limit: 100 });
  assert.deepEqual(
    await questionOf("/admin/v1/usage?consumer=a&model=m%2F1+2&type=keyGrant&subject=key:a%2Fb&limit=1000&cursor=x"),
    { consumer: "a", model: "m/1+2", type: "keyGrant", subject: "key:a/b", limit: 1_000, cursor: "x" },
  );
  assert.deepEqual(await questionOf("/admin/v1/consumers/a%2F..%00/usage?limit=1"), { of: "a/..\0", limit: 1 });
  const wrong: [string, RegExp][] = [
    ["?consumers=a", /no parameter "consumers"; known ones are consumer, model, type, subject, limit, cursor/],
    ["?__proto__=a", /no parameter "__proto__"/],
    [`?${"x".repeat(5_000)}=1`, /no parameter "x{100}…"/],
    ["?limit=1&limit=2", /limit is there twice/],
    ["?consumer=", /consumer is empty/],
    ["?consumer", /consumer is empty/],
    ["?consumer=%ff", /consumer is not percent-encoded UTF-8/],
    ["?%=a", /the query is not percent-encoded/],
    ["?type=Consumer", /type is one of consumer, key, .*not "Consumer"/],
    ["?subject=nothing", /"nothing" names no subject/],
    ["?subject=consumer:%25", /names no subject/],
    ["?subject=consumer:a/b", /names no subject/],
  ];
  for (const limit of ["0", "1001", "-1", "1.5", "1e2", "0x10", "99999", " 1", "NaN"]) {
    wrong.push([`?limit=${encodeURIComponent(limit)}`, /limit is a whole number from 1 to 1000/]);
  }
  for (const [query, expected] of wrong) {
    const answer = await questionOf(`/admin/v1/usage${query}`);
    assert.match(String(answer), expected, query);
    assert.ok(String(answer).length < 300);
  }
  assert.match(String(await questionOf("/admin/v1/consumers/%zz/usage")), /the consumer's name is not percent-encoded/);
  assert.match(String(await questionOf("/admin/v1/consumers/a/usage?consumer=b")), /in the path already/);
});

test("answers: a page as it is, and errors that say what to do", async () => {
  const page = await answerUsage("/admin/v1/usage", () => Promise.resolve({ outcome: "page", body: '{"usage":[]}' }));
  assert.deepEqual(page, { status: 200, body: '{"usage":[]}' });
  const [status, code, message] = await errorOf({ outcome: "consumer_not_found" }, "/admin/v1/consumers/b%22/usage");
  assert.deepEqual([status, code], [404, "consumer_not_found"]);
  assert.match(message, /no consumer "b\\"".*GET \/admin\/v1\/usage names/);
  assert.deepEqual(await errorOf({ outcome: "invalid_request", message: "no" }), [400, "invalid_request", "no"]);
  const busy = await answerUsage("/admin/v1/usage", () => Promise.reject(new LoaderUnavailable("later")));
  assert.equal(busy.status, 503);
  assert.match(busy.body, /"usage_unavailable","message":"later"/);
  await assert.rejects(errorOf({ outcome: "failed", message: "a defect" }), /a defect/);
});
