/** An upstream's answer with an error status: read to its end (bounded), understood, then retried or passed on. */
import type { IncomingHttpHeaders } from "node:http";
import type { AnswerSink, Attempt } from "./attempt.ts";
import { retryAfterMsOf, upstreamErrorFailure } from "./attempt-failure.ts";
import { errorWithoutSecrets, isShowable, withoutSecrets } from "./error-text.ts";
import { returnedHeaders } from "./returned-headers.ts";
import { parseJson } from "../lib/json-parse.ts";

/** What is read of an error's body; the rest is cut off. */
const MAX_ERROR_BYTES = 1024 * 1024;

export class ErrorAnswer implements AnswerSink {
  readonly #attempt: Attempt;
  readonly #status: number;
  readonly #headers: IncomingHttpHeaders;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(attempt: Attempt, status: number, headers: IncomingHttpHeaders) {
    this.#attempt = attempt;
    this.#status = status;
    this.#headers = headers;
    attempt.call.deadlines.armSilence("idle", attempt.endpoint.target.timeouts.idleMs);
  }

  data(chunk: Buffer): void {
    this.#attempt.call.deadlines.touch();
    if (this.#length < MAX_ERROR_BYTES) {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    } else {
      this.end();
    }
  }

  end(): void {
    const body = Buffer.concat(this.#chunks);
    const { endpoint, encoded } = this.#attempt;
    const text = body.toString();
    const clean = Buffer.from(withoutSecrets(text, endpoint));
    const error = errorWithoutSecrets(endpoint.target.dialect.target.decodeError(this.#status, clean), endpoint);
    const passes = encoded.sameDialect && isErrorObject(text) && isShowable(text, endpoint);
    const bytes = passes ? this.#bytes(body) : undefined;
    this.#attempt.failed(upstreamErrorFailure(error, retryAfterMsOf(this.#headers), bytes));
  }

  /** A body that breaks off is still an error with a status. */
  broken(): boolean {
    this.end();
    return true;
  }

  abandoned(): void {}

  #bytes(body: Buffer): { body: Buffer; headers: string[] } {
    const headers = ["content-type", "application/json"];
    return { body, headers: [...headers, ...returnedHeaders(this.#attempt, this.#headers)] };
  }
}

/** JSON with an `error` object: what every dialect's own errors look like. */
function isErrorObject(text: string): boolean {
  try {
    const value: unknown = parseJson(text);
    return typeof value === "object" && value !== null && "error" in value && typeof value.error === "object";
  } catch {
    return false;
  }
}
