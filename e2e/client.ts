/** A client that reads answers as the wire has them, for what the SDKs do not show. */

/** What came of one call. */
export interface Reading {
  readonly status: number;
  readonly headers: Headers;
  /** The text of the answer, streamed or whole. */
  readonly text: string;
  /** The error of the body or of an event: its message, "" if there was none. */
  readonly error: string;
  /** Error code, where the dialect has one. */
  readonly code: string;
  /** The model's own end: a finish or stop reason. */
  readonly finished: boolean;
  /** The protocol's end: [DONE], message_stop, or a whole JSON body. */
  readonly complete: boolean;
  /** The connection ended before HTTP's own end of the body. */
  readonly cut: boolean;
  readonly body: string;
  readonly ms: number;
}

export interface Call {
  readonly url: string;
  readonly key: string;
  readonly dialect: "openai" | "anthropic";
  readonly model: string;
  readonly content: string;
  readonly stream: boolean;
  readonly requestId?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes one chat call and reads it to its end, however it ends. */
export async function read(call: Call): Promise<Reading> {
  const start = performance.now();
  const isOpenai = call.dialect === "openai";
  const messages = [{ role: "user", content: call.content }];
  const response = await fetch(call.url + (isOpenai ? "/v1/chat/completions" : "/v1/messages"), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(isOpenai
        ? { authorization: `Bearer ${call.key}` }
        : { "x-api-key": call.key, "anthropic-version": "2023-06-01" }),
      ...(call.requestId === undefined ? {} : { "x-request-id": call.requestId }),
      ...call.headers,
    },
    body: JSON.stringify({
      model: call.model,
      messages,
      stream: call.stream,
      ...(isOpenai ? {} : { max_tokens: 4096 }),
    }),
  });
  const { body, cut } = await readBody(response);
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const parsed = isStream ? readEvents(body) : readWhole(body);
  return { status: response.status, headers: response.headers, ...parsed, body, cut, ms: performance.now() - start };
}

async function readBody(response: Response): Promise<{ body: string; cut: boolean }> {
  const decoder = new TextDecoder();
  let body = "";
  try {
    const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
    for (;;) {
      const part = await reader?.read();
      if (part === undefined || part.done) break;
      body += decoder.decode(part.value, { stream: true });
    }
    return { body, cut: false };
  } catch {
    return { body, cut: true };
  }
}

interface Parsed {
  text: string;
  error: string;
  code: string;
  finished: boolean;
  complete: boolean;
}

/** The parts of both dialects' answers and events that matter here. */
interface AnyAnswer {
  readonly type?: string;
  readonly choices?: readonly {
    message?: { content?: string | null };
    delta?: { content?: string | null };
    finish_reason?: string | null;
  }[];
  readonly stop_reason?: string | null;
  readonly content?: readonly { text?: string }[];
  readonly delta?: { text?: string; stop_reason?: string | null };
  readonly error?: { message: string; code?: string | null; details?: { error_code?: string } | null };
}

function readWhole(body: string): Parsed {
  let answer: AnyAnswer;
  try {
    answer = JSON.parse(body) as AnyAnswer;
  } catch {
    return { text: body, error: "", code: "", finished: false, complete: false };
  }
  const text = answer.choices?.[0]?.message?.content ?? answer.content?.map((block) => block.text ?? "").join("") ?? "";
  const finished = typeof (answer.choices?.[0]?.finish_reason ?? answer.stop_reason) === "string";
  return { text, ...errorOf(answer), finished, complete: true };
}

/** The data of each event, as the standard of server-sent events reads them. */
export function eventData(body: string): string[] {
  const events = body
    .replace(/^\uFEFF/, "")
    .replaceAll(/\r\n?/g, "\n")
    .split("\n\n");
  // what no blank line follows is no event
  return events.slice(0, -1).flatMap((event) => {
    const lines = event.split("\n").filter((line) => line.startsWith("data:"));
    return lines.length === 0 ? [] : lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
  });
}

function readEvents(body: string): Parsed {
  const parsed: Parsed = { text: "", error: "", code: "", finished: false, complete: false };
  for (const data of eventData(body)) {
    if (data === "[DONE]") {
      parsed.complete = true;
      continue;
    }
    const event = JSON.parse(data) as AnyAnswer;
    parsed.text += event.choices?.[0]?.delta?.content ?? event.delta?.text ?? "";
    parsed.finished ||= typeof (event.choices?.[0]?.finish_reason ?? event.delta?.stop_reason) === "string";
    if (event.error !== undefined) Object.assign(parsed, errorOf(event));
    parsed.complete ||= event.type === "message_stop";
  }
  return parsed;
}

function errorOf(answer: AnyAnswer): { error: string; code: string } {
  const { error } = answer;
  return { error: error?.message ?? "", code: error?.code ?? error?.details?.error_code ?? "" };
}
