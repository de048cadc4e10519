/** One generating API of the simulated vendor: how it reads a request and words answers, streams and errors. */
import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "../lib/json.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Frame, Outcome, Task } from "./task.ts";
import type { VendorError } from "./vendor-error.ts";

export interface Surface extends ErrorWording {
  /** First letters of an answer's id. */
  readonly idPrefix: string;
  /** First letters of a tool call's id. */
  readonly callPrefix: string;
  /** @throws VendorError for what the vendor would refuse */
  readTask(body: JsonObject, headers: IncomingHttpHeaders, options: ResolvedOptions): Task;
  /** The whole answer. */
  encodeAnswer(outcome: Outcome): JsonObject;
  /** The answer as a stream. */
  encodeFrames(outcome: Outcome): Frame[];
}

/** How a dialect words what every answer has, and errors. */
export interface ErrorWording {
  /** Names and values of headers that this vendor sends with every answer. */
  answerHeaders(requestId: string): readonly string[];
  encodeError(error: VendorError, requestId: string): JsonObject;
  /** An SSE event that says a stream cannot go on. */
  encodeErrorEvent(error: VendorError, requestId: string): string;
  /** The 400 for a conversation that does not fit. @param shape whose words, if the dialect has several */
  contextOverflow(tokens: ContextTokens, shape: string): VendorError;
}

export interface ContextTokens {
  readonly prompt: number;
  /** Tokens that were asked for. */
  readonly answer: number;
  readonly limit: number;
}

/** How a streamed answer's tool calls are cut: which call's which piece comes next. */
export function* toolCallOrder(
  lengths: readonly number[],
  order: "one by one" | "in turns",
): Generator<{ call: number; piece: number }> {
  if (order === "one by one") {
    for (const [call, length] of lengths.entries()) {
      for (let piece = 0; piece < length; piece++) yield { call, piece };
    }
    return;
  }
  for (let piece = 0; piece < Math.max(0, ...lengths); piece++) {
    for (const [call, length] of lengths.entries()) {
      if (piece < length) yield { call, piece };
    }
  }
}
