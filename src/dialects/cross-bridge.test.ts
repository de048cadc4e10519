/**
 * Carries answers from a vendor to a client as the gateway does, and reads streams as the official SDKs do. For
 * the tests beside it: it has no test of its own, its name keeps it out of releases.
 */
import { MessageStream } from "@anthropic-ai/sdk/lib/MessageStream";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import assert from "node:assert/strict";
import type { JsonObject, JsonValue } from "../lib/json.ts";
import { parseSseEvent, SseSplitter } from "../lib/sse.ts";
import { DIALECTS } from "./builtin.ts";
import { isObject, member } from "./cross-vendors.test.ts";
import type { ChatEvent, DialectName } from "./form.ts";

export const CONTEXT = { requestId: "req-1", model: "user-model", includeUsage: true };

/** A whole answer of a vendor's, as the client gets it. */
export function whole(target: DialectName, client: DialectName, body: JsonObject): JsonObject {
  const form = DIALECTS[target].target.decodeChatAnswer(structuredClone(body));
  return JSON.parse(JSON.stringify(DIALECTS[client].client.encodeChatAnswer(form, CONTEXT))) as JsonObject;
}

/** Calls for each event of a whole stream that holds data. */
export function eachEvent(text: string, onEvent: (event: string, data: string) => void): void {
  const splitter = new SseSplitter(1_000_000);
  splitter.push(Buffer.from(text), (buffer, start, end) => {
    const { event, data } = parseSseEvent(buffer, start, end);
    if (data !== "") onEvent(event, data);
  });
  assert.equal(splitter.endsBetweenEvents, true);
}

/** A vendor's stream, as SSE text for the client. */
export function translate(target: DialectName, client: DialectName, text: string): string {
  const decoder = DIALECTS[target].target.createStreamDecoder();
  const encoder = DIALECTS[client].client.createStreamEncoder(CONTEXT);
  let out = "";
  eachEvent(text, (event, data) => {
    const events: ChatEvent[] = [];
    decoder.decode(event, data, events);
    for (const decoded of events) out += encoder.encode(decoded);
  });
  assert.equal(decoder.complete, true);
  return out;
}

/** Joins the pieces of a streamed value as OpenAI's Python SDK does: texts grow, list entries meet by `index`. */
function join(earlier: JsonValue | undefined, piece: JsonValue, key: string): JsonValue {
  if (earlier === undefined || earlier === null || piece === null || key === "index" || key === "type") return piece;
  if (typeof earlier === "string" && typeof piece === "string") return earlier + piece;
  if (isObject(earlier) && isObject(piece)) {
    for (const [name, value] of Object.entries(piece)) earlier[name] = join(earlier[name], value ?? null, name);
    return earlier;
  }
  if (Array.isArray(earlier) && Array.isArray(piece)) {
    for (const entry of piece) {
      const same = earlier.findIndex((known) => member(known, "index") === member(entry, "index"));
      if (same === -1) earlier.push(entry);
      else earlier[same] = join(earlier[same], entry, "");
    }
    return earlier;
  }
  return piece;
}

/** OpenAI's TypeScript SDK keeps of words that it does not know only the last piece; clients join those themselves. */
async function openaiAnswer(lines: readonly string[], stream: never): Promise<JsonObject> {
  const answer = (await ChatCompletionStream.fromReadableStream(stream).finalChatCompletion()) as unknown;
  let joined: JsonValue = {};
  for (const line of lines) joined = join(joined, member(JSON.parse(line), "choices", 0, "delta") ?? {}, "");
  const message = member(answer, "choices", 0, "message");
  assert.ok(isObject(answer) && isObject(message) && isObject(joined));
  for (const word of ["reasoning_content", "reasoning_details"])
    if (joined[word] !== undefined) message[word] = joined[word];
  return answer;
}

/** What the official SDK of the client's dialect puts together from a stream. */
export async function sdkAnswer(client: DialectName, text: string): Promise<unknown> {
  const lines: string[] = [];
  eachEvent(text, (_, data) => lines.push(data));
  if (client === "openai") assert.equal(lines.pop(), "[DONE]");
  const events = lines.filter((line) => !line.includes('"type":"ping"'));
  const stream = new Blob(events.map((line) => `${line}\n`)).stream() as never;
  const answer: unknown =
    client === "openai"
      ? await openaiAnswer(events, stream)
      : await MessageStream.fromReadableStream(stream).finalMessage();
  return JSON.parse(JSON.stringify(answer));
}
