/**
 * A stream that goes through the internal form: another dialect on the other side, or a filter that asks for events.
 * Everything that one upstream chunk brings is written to the client at once, in the same tick.
 */
import type { StreamDecoder, StreamEncoder } from "../dialects/contract.ts";
import type { ChatEvent, Usage } from "../dialects/form.ts";
import type { EventFilter } from "../filters/contract.ts";
import type { SluiceError } from "../lib/errors.ts";
import { parseSseEvent, SseSplitter } from "../lib/sse.ts";
import type { AnswerSink, Attempt } from "./attempt.ts";
import { brokenBeforeContent, brokenStream, upstreamErrorFailure } from "./attempt-failure.ts";
import { errorWithoutSecrets } from "./error-text.ts";
import type { Exchange } from "./exchange.ts";
import { MAX_EVENT_BYTES } from "./pass-through-stream.ts";
import { recordStreamUsage } from "./record-usage.ts";
import { unterminatedEvent } from "./unterminated-event.ts";

export class ConvertedStream implements AnswerSink {
  readonly #attempt: Attempt;
  readonly #exchange: Exchange;
  readonly #splitter = new SseSplitter(MAX_EVENT_BYTES);
  readonly #decoder: StreamDecoder;
  readonly #encoder: StreamEncoder;
  readonly #filter: EventFilter | undefined;
  readonly #decoded: ChatEvent[] = [];
  /** Text for the client, not yet written: held before the first content, else only during one chunk. */
  #text = "";
  #started = false;
  #failed = false;
  /** The upstream's own end was seen. */
  #ended = false;
  #usage: Usage | undefined;
  #contentEvents = 0;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
    const { call, encoded, endpoint } = attempt;
    this.#exchange = call.exchange;
    this.#decoder = endpoint.target.dialect.target.createStreamDecoder();
    this.#filter = endpoint.target.filters.createEventFilter?.();
    const context = { requestId: call.exchange.requestId, model: call.asked, includeUsage: encoded.includeUsage };
    const { answerForm, dialect } = call.exchange;
    this.#encoder = answerForm?.createStreamEncoder() ?? dialect.client.createStreamEncoder(context);
  }

  data(chunk: Buffer): void {
    this.#attempt.call.deadlines.touch();
    this.#splitter.push(chunk, this.#onEvent);
    this.#flush();
    if (this.#started && !this.#failed) {
      this.#attempt.progressed(this.#usage, this.#contentEvents);
    }
    if (this.#ended && this.#decoder.complete && !this.#failed) {
      this.#finish();
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
    if (this.#decoder.complete) {
      this.#finish();
    } else if (!this.broken(brokenStream())) {
      this.#attempt.failed(brokenBeforeContent());
    }
  }

  broken(error: SluiceError): boolean {
    if (this.#decoder.complete && !this.#failed) {
      // all has been said; how the connection ends after that is no matter for the client
      this.#attempt.hangUp();
      this.#finish();
      return true;
    }
    if (!this.#started) {
      return false;
    }
    this.#flush();
    this.abandoned();
    this.#attempt.breakOff(error);
    this.#exchange.sendError(error);
    return true;
  }

  abandoned(): void {
    const ending = this.#decoder.complete ? "complete" : "partial";
    recordStreamUsage(this.#attempt.call, this.#usage, this.#contentEvents, ending);
  }

  /** Gives the client the rest, with its protocol's end even if the upstream left its own out. */
  #finish(): void {
    if (!this.#ended) {
      this.#handle({ kind: "end" });
    }
    this.#start();
    this.#flush();
    this.abandoned();
    this.#attempt.finished();
    this.#exchange.endStream();
  }

  readonly #onEvent = (buffer: Buffer, start: number, end: number): void => {
    const { event, data } = parseSseEvent(buffer, start, end);
    if (data === "" || this.#failed || this.#ended) {
      return;
    }
    const decoded = this.#decoded;
    decoded.length = 0;
    this.#decoder.decode(event, data, decoded);
    for (const chatEvent of decoded) {
      this.#handle(chatEvent);
    }
  };

  #handle(event: ChatEvent): void {
    if (this.#failed) {
      return;
    }
    switch (event.kind) {
      case "error":
        this.#upstreamError(event);
        return;
      case "usage":
        this.#usage = event.usage;
        break;
      case "start":
        this.#usage = event.usage ?? this.#usage;
        break;
      case "end":
        this.#ended = true;
        break;
      case "text":
      case "reasoning":
      case "refusal":
      case "toolCallStart":
      case "toolCallArguments":
      case "redactedReasoning":
      case "opaque":
        this.#contentEvents += 1;
        this.#start();
        break;
      default:
    }
    if (this.#filter === undefined) {
      this.#emit(event);
    } else {
      this.#filter(event, this.#emit);
    }
  }

  readonly #emit = (event: ChatEvent): void => {
    this.#text += this.#encoder.encode(event);
  };

  #start(): void {
    if (!this.#started) {
      this.#started = true;
      this.#attempt.answering();
      this.#exchange.startStream([]);
    }
  }

  #flush(): void {
    if (this.#started && this.#text !== "") {
      const text = this.#text;
      this.#text = "";
      if (!this.#exchange.write(Buffer.from(text))) {
        this.#attempt.waitForClient();
      }
    }
  }

  #upstreamError(event: Extract<ChatEvent, { kind: "error" }>): void {
    this.#failed = true;
    const { status, type, message, code } = event;
    const { endpoint } = this.#attempt;
    const error = errorWithoutSecrets({ status, type, message, code: code ?? null, param: null }, endpoint);
    if (!this.#started) {
      this.#attempt.failed(upstreamErrorFailure(error, undefined, undefined));
      return;
    }
    this.#flush();
    this.abandoned();
    this.#attempt.breakOff(error);
    this.#exchange.sendError(error);
  }
}
