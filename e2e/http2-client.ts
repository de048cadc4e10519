/** A client of HTTP/2, close to the frames. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { assertNoSecrets, type Ending } from "./harness.ts";

/** What came of one stream. */
export interface StreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The code of RST_STREAM; 0 if the stream ended by itself. */
  readonly rstCode: number;
  /** The answer's end was marked (END_STREAM). */
  readonly ended: boolean;
}

/** Connects; the session is destroyed when the test ends. */
export async function openSession(t: Ending, port: number, ca: string): Promise<ClientHttp2Session> {
  const session = connect(`https://localhost:${port}`, { ca, settings: { enablePush: false } });
  session.on("error", () => {});
  t.after(() => {
    session.destroy();
  });
  await once(session, "connect");
  return session;
}

/** Begins a chat request. */
export function chatStream(
  session: ClientHttp2Session,
  key: string,
  body: string | undefined,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/v1/chat/completions",
    "content-type": "application/json",
    authorization: `Bearer ${key}`,
    ...headers,
  });
  if (body !== undefined) stream.end(body);
  return stream;
}

/** Reads a stream to its end, however it ends. */
export async function readStream(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  let status = 0;
  let headers: Record<string, unknown> = {};
  let text = "";
  let ended = false;
  stream.on("response", (head) => {
    headers = { ...head };
    status = head[":status"] ?? 0;
  });
  stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  stream.on("end", () => {
    ended = true;
  });
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("close", resolve));
  assertNoSecrets("an answer", text + JSON.stringify(headers));
  assert.ok(stream.closed);
  return { status, headers, text, rstCode: stream.rstCode ?? 0, ended: ended && (stream.rstCode ?? 0) === 0 };
}
