/** What errors look like in each dialect, and what must be in no answer. */
import assert from "node:assert/strict";
import type { DialectName } from "../src/dialects/form.ts";
import type { ErrorCode } from "../src/lib/errors.ts";

/** The error object of a whole answer, or of the last event of a stream that broke. @throws AssertionError if its shape is wrong */
export function checkErrorShape(dialect: DialectName, body: string, what: string): void {
  const isStream = /^(?:data|event|:)/.test(body);
  const value: unknown = JSON.parse(isStream ? lastEvent(dialect, body, what) : body);
  assert.ok(isObject(value) && isObject(value["error"]), `no error object in ${body}; ${what}`);
  const { error } = value;
  assert.ok(typeof error["message"] === "string" && error["message"] !== "", what);
  assert.ok(typeof error["type"] === "string" && error["type"] !== "", what);
  if (dialect === "openai") {
    assert.ok("param" in error && "code" in error, what);
  } else {
    assert.equal(value["type"], "error", what);
    if (!isStream) assert.equal(typeof value["request_id"], "string", what);
  }
}

/** A stream that broke ends in an error event, and in none that ends it well. */
function lastEvent(dialect: DialectName, body: string, what: string): string {
  assert.ok(body.endsWith("\n\n"), `the last event is not whole: ${what}`);
  const events = body.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  const last = events.at(-1) ?? "";
  assert.doesNotMatch(body, /\[DONE\]|message_stop/, `it ends as if all were well: ${what}`);
  if (dialect === "anthropic") assert.match(last, /^event: error\n/, what);
  return last.slice(last.indexOf("data:") + "data:".length);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A code of Sluice's in the words of a dialect, as `read` finds it. */
export function codeIn(dialect: DialectName, code: ErrorCode): string {
  return dialect === "openai" && (code === "upstream_error" || code === "internal_error") ? "server_error" : code;
}

/** Addresses inside, and words that only those who look at Sluice from the inside know. */
export function checkNothingInternal(text: string, what: string): void {
  assert.doesNotMatch(text, /127\.0\.0\.1|localhost|ECONN|EPIPE|node:|undici|at \w+ \(|\.ts:\d/, what);
}
