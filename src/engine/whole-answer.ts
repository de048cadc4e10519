/** An answer that comes as one JSON object: read to its end, then sent on as its bytes, or through the internal form. */
import type { IncomingHttpHeaders } from "node:http";
import type { Usage } from "../dialects/form.ts";
import { BytePieces } from "../lib/byte-pieces.ts";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { scanObject } from "../lib/json-scan.ts";
import { estimateTokens } from "../lib/token-estimate.ts";
import type { WordedAnswer } from "./worded-answer.ts";
import type { AnswerSink, Attempt } from "./attempt.ts";
import { invalidAnswer, noRoomForAnswer, retryAfterMsOf, upstreamErrorFailure } from "./attempt-failure.ts";
import { errorWithoutSecrets } from "./error-text.ts";
import { estimatedPrompt, recordPromptEstimate, recordReportedUsage } from "./record-usage.ts";
import { returnedHeaders } from "./returned-headers.ts";
import { parseJson } from "../lib/json-parse.ts";

/** The largest answer that is taken; embeddings of large batches are some MiB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const NOT_JSON = "The model's provider sent something that is not JSON.";
const NOTHING: readonly string[] = [];
const JSON_TYPE = ["content-type", "application/json"];
const SPACE = 0x20;

export class WholeAnswer implements AnswerSink {
  readonly #attempt: Attempt;
  readonly #headers: IncomingHttpHeaders;
  readonly #pieces = new BytePieces();
  #begun = false;

  constructor(attempt: Attempt, headers: IncomingHttpHeaders) {
    this.#attempt = attempt;
    this.#headers = headers;
    // that of an attempt before
    attempt.call.exchange.dropAnswer();
  }

  data(chunk: Buffer): void {
    if (this.#pieces.length + chunk.length > MAX_ANSWER_BYTES) {
      throw new SluiceError("upstream_invalid_answer", "The model's provider sent an answer that is too large.");
    }
    if (!this.#attempt.call.exchange.holdAnswer(chunk.length)) {
      this.abandoned();
      this.#pieces.clear();
      this.#attempt.failed(noRoomForAnswer());
      return;
    }
    this.#pieces.push(chunk);
    // white space is what some send to keep the connection while the model works
    if (this.#begun || chunk.some((byte) => byte > SPACE)) {
      this.#watchSilence();
    }
  }

  /** An answer that has begun and stops in its midst is not waited for until the total time is up. */
  #watchSilence(): void {
    const { call, endpoint } = this.#attempt;
    if (this.#begun) {
      call.deadlines.touch();
    } else {
      this.#begun = true;
      call.deadlines.armSilence("idle", endpoint.target.timeouts.idleMs);
    }
  }

  end(): void {
    const body = this.#pieces.take();
    const attempt = this.#attempt;
    const { target } = attempt.endpoint.target.dialect;
    if (!isObject(body)) {
      attempt.failed(invalidAnswer(NOT_JSON));
      return;
    }
    const disguised = target.decodeDisguisedError(body);
    if (disguised !== undefined) {
      const error = errorWithoutSecrets(disguised, attempt.endpoint);
      attempt.failed(upstreamErrorFailure(error, retryAfterMsOf(this.#headers), undefined));
      return;
    }
    if (attempt.call.answerKind === "stream") {
      attempt.failed(invalidAnswer("The model's provider did not stream its answer."));
      return;
    }
    const hasForm = attempt.call.operation === "chat";
    const passThrough =
      attempt.encoded.sameDialect && (!hasForm || attempt.endpoint.target.filters.answer === undefined);
    const { exchange, operation } = attempt.call;
    const worded =
      passThrough && exchange.answerForm === undefined ? { headers: JSON_TYPE, body } : this.#convert(body);
    attempt.answering();
    const usage = operation === "count_tokens" ? undefined : target.readUsage(body);
    if (usage !== undefined) {
      recordReportedUsage(attempt.call, usage);
    } else if (operation !== "count_tokens") {
      exchange.entry.tokens(this.#estimate(body), "estimated");
    }
    if ("error" in worded && worded.again !== undefined && attempt.askAgain(worded.again.most, worded.again.bodyOf)) {
      return;
    }
    attempt.finished();
    if ("error" in worded) {
      // the model has answered and its tokens count; what it said is of no use to the client
      exchange.sendError(worded.error);
      return;
    }
    exchange.send(200, [...worded.headers, ...returnedHeaders(attempt, this.#headers)], worded.body);
  }

  broken(): boolean {
    return false;
  }

  /** The answer never came, but the prompt was read: an estimate of it is all there is. */
  abandoned(): void {
    recordPromptEstimate(this.#attempt.call);
  }

  #convert(body: Buffer): WordedAnswer {
    const { endpoint, call } = this.#attempt;
    const { target, filters } = { target: endpoint.target.dialect.target, filters: endpoint.target.filters };
    const answer = target.decodeChatAnswer(parseAnswer(body));
    filters.answer?.(answer);
    const { answerForm } = call.exchange;
    if (answerForm !== undefined) {
      return answerForm.whole(answer);
    }
    const context = {
      requestId: call.exchange.requestId,
      model: call.asked,
      includeUsage: this.#attempt.encoded.includeUsage,
    };
    const encoded = call.exchange.dialect.client.encodeChatAnswer(answer, context);
    return { headers: JSON_TYPE, body: JSON.stringify(encoded) };
  }

  #estimate(body: Buffer): Usage {
    const { operation } = this.#attempt.call;
    const usage = estimatedPrompt(this.#attempt.call);
    usage.completionTokens = operation === "chat" || operation === "completions" ? estimateTokens(body.toString()) : 0;
    return usage;
  }
}

/** The bytes pass through in most cases, so that this is the only look at all of them: what is cut off must not look whole. */
function isObject(body: Buffer): boolean {
  try {
    scanObject(body, NOTHING);
    return true;
  } catch {
    return false;
  }
}

function parseAnswer(body: Buffer): JsonObject {
  try {
    return parseJson(body.toString()) as JsonObject;
  } catch (error) {
    throw new SluiceError("upstream_invalid_answer", NOT_JSON, { cause: error });
  }
}
