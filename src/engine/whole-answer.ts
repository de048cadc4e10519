/** An answer that comes as one JSON object: read to its end, then sent on as its bytes, or through the internal form. */
import type { IncomingHttpHeaders } from "node:http";
import type { Usage } from "../dialects/form.ts";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { estimateTokens, estimateTokensOfJson } from "../lib/token-estimate.ts";
import type { AnswerSink, Attempt } from "./attempt.ts";
import { invalidAnswer, retryAfterMsOf, upstreamErrorFailure } from "./attempt-failure.ts";
import { withoutCredential } from "./error-text.ts";
import { returnedHeaders } from "./returned-headers.ts";

/** The largest answer that is taken; embeddings of large batches are some MiB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

export class WholeAnswer implements AnswerSink {
  readonly #attempt: Attempt;
  readonly #headers: IncomingHttpHeaders;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(attempt: Attempt, headers: IncomingHttpHeaders) {
    this.#attempt = attempt;
    this.#headers = headers;
  }

  data(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > MAX_ANSWER_BYTES) {
      throw new SluiceError("upstream_invalid_answer", "The model's provider sent an answer that is too large.");
    }
    this.#chunks.push(chunk);
  }

  end(): void {
    const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#length);
    const attempt = this.#attempt;
    const { target } = attempt.endpoint.target.dialect;
    if (!looksLikeObject(body)) {
      attempt.failed(invalidAnswer("The model's provider sent something that is not JSON."));
      return;
    }
    const disguised = target.decodeDisguisedError(body);
    if (disguised !== undefined) {
      const error = withoutCredential(disguised, attempt.endpoint);
      attempt.failed(upstreamErrorFailure(error, retryAfterMsOf(this.#headers), undefined));
      return;
    }
    if (attempt.call.answerKind === "stream") {
      attempt.failed(invalidAnswer("The model's provider did not stream its answer."));
      return;
    }
    attempt.answering();
    const hasForm = attempt.call.operation === "chat";
    const passThrough =
      attempt.encoded.sameDialect && (!hasForm || attempt.endpoint.target.filters.answer === undefined);
    const sent = passThrough ? body : this.#convert(body);
    const { exchange } = attempt.call;
    const usage = target.readUsage(body);
    exchange.entry.tokens(usage ?? this.#estimate(body), usage === undefined ? "estimated" : "reported");
    attempt.finished();
    exchange.send(200, ["content-type", "application/json", ...returnedHeaders(attempt, this.#headers)], sent);
  }

  broken(): boolean {
    return false;
  }

  /** The answer never came, but the prompt was read: an estimate of it is all there is. */
  abandoned(): void {
    const { exchange, scan } = this.#attempt.call;
    exchange.entry.tokens(promptOnly(estimateTokensOfJson(scan.value())), "estimated");
  }

  #convert(body: Buffer): string {
    const { endpoint, call, encoded } = this.#attempt;
    const { target, filters } = { target: endpoint.target.dialect.target, filters: endpoint.target.filters };
    const answer = target.decodeChatAnswer(parseAnswer(body));
    filters.answer?.(answer);
    const context = { requestId: call.exchange.requestId, model: call.asked, includeUsage: encoded.includeUsage };
    return JSON.stringify(call.exchange.dialect.client.encodeChatAnswer(answer, context));
  }

  #estimate(body: Buffer): Usage {
    const { scan, operation } = this.#attempt.call;
    const usage = promptOnly(estimateTokensOfJson(scan.value()));
    usage.completionTokens = operation === "chat" || operation === "completions" ? estimateTokens(body.toString()) : 0;
    return usage;
  }
}

/** Usage with nothing but a prompt. */
export function promptOnly(promptTokens: number): Usage {
  return { promptTokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
}

function looksLikeObject(body: Buffer): boolean {
  let start = 0;
  let end = body.length - 1;
  while (start < end && body[start]! <= 0x20) {
    start += 1;
  }
  while (end > start && body[end]! <= 0x20) {
    end -= 1;
  }
  return end > start && body[start] === OPENING_BRACE && body[end] === CLOSING_BRACE;
}

function parseAnswer(body: Buffer): JsonObject {
  try {
    return JSON.parse(body.toString()) as JsonObject;
  } catch (error) {
    const message = "The model's provider sent something that is not JSON.";
    throw new SluiceError("upstream_invalid_answer", message, { cause: error });
  }
}
