/**
 * A stream whose bytes go through: client and target speak one dialect and no filter asks for events. Whole events are
 * forwarded in the tick in which they came, as views of the chunk they came in. Until the first content the events are
 * held, so that another attempt can still take over; after it, a failure becomes an error event.
 */
import type { IncomingHttpHeaders } from "node:http";
import { WATCH, type StreamWatch } from "../dialects/contract.ts";
import type { SluiceError } from "../lib/errors.ts";
import { parseSseEvent, SseSplitter } from "../lib/sse.ts";
import type { AnswerSink, Attempt } from "./attempt.ts";
import { brokenBeforeContent, brokenStream, upstreamErrorFailure } from "./attempt-failure.ts";
import { errorWithoutSecrets, isShowable } from "./error-text.ts";
import type { Exchange } from "./exchange.ts";
import { recordStreamUsage } from "./record-usage.ts";
import { returnedHeaders } from "./returned-headers.ts";
import { isJson, unterminatedEvent } from "./unterminated-event.ts";

/** The largest single event that is taken. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** What may come before the first content. */
const MAX_HELD_BYTES = 256 * 1024;

export class PassThroughStream implements AnswerSink {
  readonly #attempt: Attempt;
  readonly #exchange: Exchange;
  readonly #headers: readonly string[];
  readonly #splitter = new SseSplitter(MAX_EVENT_BYTES);
  readonly #watch: StreamWatch;
  readonly #stripsUsage: boolean;
  #held: Buffer[] | undefined = [];
  #heldBytes = 0;
  #complete = false;
  /** The protocol's own end was seen: what may follow is of no meaning. */
  #ended = false;
  #failed = false;
  /** Events found and not yet forwarded: `#run[#runStart, #runEnd)`. */
  #run: Buffer | undefined;
  #runStart = 0;
  #runEnd = 0;
  #clientIsSlow = false;

  constructor(attempt: Attempt, headers: IncomingHttpHeaders) {
    this.#attempt = attempt;
    this.#exchange = attempt.call.exchange;
    this.#headers = returnedHeaders(attempt, headers);
    this.#watch = attempt.endpoint.target.dialect.target.createStreamWatch();
    this.#stripsUsage = attempt.encoded.usageInjected;
  }

  data(chunk: Buffer): void {
    this.#attempt.call.deadlines.touch();
    this.#splitter.push(chunk, this.#onEvent);
    if (this.#failed) {
      return;
    }
    this.#forward();
    this.#attempt.progressed(this.#watch.usage, this.#watch.contentEvents);
    if (this.#ended) {
      this.#finish();
    } else if (this.#clientIsSlow) {
      this.#clientIsSlow = false;
      this.#attempt.waitForClient();
    }
  }

  end(): void {
    const rest = unterminatedEvent(this.#splitter.pending);
    if (rest !== undefined) {
      this.#onEvent(rest, 0, rest.length);
    }
    if (this.#failed) {
      return;
    }
    this.#forward();
    if (this.#complete) {
      this.#finish();
    } else if (!this.broken(brokenStream())) {
      this.#attempt.failed(brokenBeforeContent());
    }
  }

  broken(error: SluiceError): boolean {
    if (this.#complete && !this.#failed) {
      // all has been said; how the connection ends after that is no matter for the client
      this.#attempt.hangUp();
      this.#finish();
      return true;
    }
    if (this.#held !== undefined) {
      return false;
    }
    this.#forward();
    this.abandoned();
    this.#attempt.breakOff(error);
    this.#exchange.sendError(error);
    return true;
  }

  abandoned(): void {
    const { usage, contentEvents } = this.#watch;
    recordStreamUsage(this.#attempt.call, usage, contentEvents, this.#complete ? "complete" : "partial");
  }

  /** The client has everything. */
  #finish(): void {
    if (this.#held !== undefined) {
      this.#release();
    }
    this.abandoned();
    this.#attempt.finished();
    this.#exchange.endStream();
  }

  readonly #onEvent = (buffer: Buffer, start: number, end: number): void => {
    if (this.#failed || this.#ended) {
      return;
    }
    const mask = this.#watch.event(buffer, start, end);
    if (mask !== 0) {
      if ((mask & WATCH.complete) !== 0) {
        this.#complete = true;
        this.#ended = (mask & WATCH.end) !== 0;
      }
      if ((mask & WATCH.usageOnly) !== 0 && this.#stripsUsage) {
        return;
      }
      if ((mask & WATCH.error) !== 0) {
        this.#upstreamError(buffer, start, end);
        return;
      }
      if (this.#held !== undefined && (mask & WATCH.content) !== 0) {
        this.#release();
      }
    }
    if (this.#run === buffer && this.#runEnd === start) {
      this.#runEnd = end;
      return;
    }
    this.#forward();
    this.#run = buffer;
    this.#runStart = start;
    this.#runEnd = end;
  };

  /** Sends, or holds, the events found so far. */
  #forward(): void {
    const run = this.#run;
    if (run === undefined) {
      return;
    }
    this.#run = undefined;
    const whole = this.#runStart === 0 && this.#runEnd === run.length;
    const bytes = whole ? run : run.subarray(this.#runStart, this.#runEnd);
    if (this.#held === undefined) {
      if (!this.#exchange.write(bytes)) {
        this.#clientIsSlow = true;
      }
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) {
      this.#release();
    }
  }

  /** The first content is here: the head and what was held go out, and there is no way back. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#attempt.answering();
    this.#exchange.startStream(this.#headers);
    for (const bytes of held) {
      this.#exchange.write(bytes);
    }
  }

  /** The upstream says itself that it failed: before content another attempt may serve, after it the client is told. */
  #upstreamError(buffer: Buffer, start: number, end: number): void {
    const { error } = this.#watch;
    this.#failed = true;
    if (this.#held !== undefined && error !== undefined) {
      this.#attempt.failed(
        upstreamErrorFailure(errorWithoutSecrets(error, this.#attempt.endpoint), undefined, undefined),
      );
      return;
    }
    this.#forward();
    this.abandoned();
    this.#attempt.breakOff(error ?? brokenStream());
    const { endpoint } = this.#attempt;
    const { data } = parseSseEvent(buffer, start, end);
    if (error !== undefined && !(isJson(data) && isShowable(data, endpoint))) {
      this.#exchange.sendError(errorWithoutSecrets(error, endpoint));
      return;
    }
    this.#exchange.write(buffer.subarray(start, end));
    this.#exchange.breakStreamAfterError();
  }
}
