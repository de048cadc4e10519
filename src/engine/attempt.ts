/** One upstream hit: the request is encoded and sent, and what comes back is given to the sink that fits its head. */
import type { IncomingHttpHeaders } from "node:http";
import type { UpstreamError } from "../dialects/contract.ts";
import type { Usage } from "../dialects/form.ts";
import { createDecoder, type Decoder } from "../lib/decompress.ts";
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from "../upstreams/origin.ts";
import {
  clockFailure,
  connectionFailure,
  invalidAnswer,
  timeoutError,
  type AttemptFailure,
} from "./attempt-failure.ts";
import { encodeAttempt, type RequestEncoding } from "./encode-request.ts";
import type { Endpoint } from "./engine.ts";
import { ErrorAnswer } from "./error-answer.ts";
import { learnVendorLimits } from "./vendor-limits.ts";
import type { Clock, ModelCall } from "./model-call.ts";
import { SluiceError } from "../lib/errors.ts";
import { ConvertedStream } from "./converted-stream.ts";
import { PassThroughStream } from "./pass-through-stream.ts";
import { recordPromptEstimate } from "./record-usage.ts";
import { WholeAnswer } from "./whole-answer.ts";

/** What an answer may expand to when the upstream compresses it. */
const DECODER_LIMITS = { maxBytes: 256 * 1024 * 1024, maxRatio: 200 };

/**
 * The pool times each connection it makes, and knows whether the node is to blame; our clock is for requests that wait
 * for a connection to come free, and must not be quicker.
 */
const POOL_SPEAKS_FIRST_MS = 20;

/** After the protocol's end an upstream may take this long to end its answer, so that the connection can be used again. */
const LATE_END_MS = 1_000;

/** A stream settles what it has used so far each time that so many tokens have come. */
const CHECKPOINT_TOKENS = 256;

/** Takes the body of an upstream's answer. */
export interface AnswerSink {
  data(chunk: Buffer): void;
  end(): void;
  /** The upstream failed in the midst of the body. Returns false when the client has seen nothing: it may be retried. */
  broken(error: SluiceError): boolean;
  /** The client left or the request was ended: records what is known of the tokens. */
  abandoned(): void;
}

export class Attempt implements UpstreamHandler {
  readonly call: ModelCall;
  readonly endpoint: Endpoint;
  /** What of the encoding still matters once the request is sent; its bytes are the connection's. */
  encoded!: RequestEncoding;
  #upstream: UpstreamCall | undefined;
  #sink: AnswerSink | undefined;
  #decoder: Decoder | undefined;
  #sent = false;
  #over = false;
  /** The upstream has said all it had to. */
  #received = false;
  #lateEnd: NodeJS.Timeout | undefined;
  /** The first content is one: by then the prompt has been read. */
  #nextCheckpoint = 1;

  constructor(call: ModelCall, endpoint: Endpoint) {
    this.call = call;
    this.endpoint = endpoint;
  }

  /** @throws SluiceError when the request cannot be said in the target's dialect; nothing has been sent then */
  start(): void {
    const { call, endpoint } = this;
    const { request, encoded } = encodeAttempt(call, endpoint);
    this.encoded = encoded;
    call.exchange.dropped = encoded.dropped;
    call.exchange.attempt(endpoint, call.serving);
    call.deadlines.arm("connect", endpoint.target.timeouts.connectMs + POOL_SPEAKS_FIRST_MS);
    this.#upstream = endpoint.origin.send(request, this);
  }

  abort(): void {
    if (this.#over) {
      return;
    }
    if (this.#sink !== undefined) {
      this.#sink.abandoned();
    } else if (this.#sent) {
      recordPromptEstimate(this.call);
    }
    this.#stop();
  }

  expired(clock: Exclude<Clock, "total">): void {
    this.#guard(() => {
      this.#failOver(clockFailure(clock), timeoutError(clock));
    });
  }

  /** Ends an answer that has begun, with the error if it is not complete. Returns false when none has begun. */
  endBy(error: SluiceError): boolean {
    return !this.#over && this.#sink !== undefined && this.#sink.broken(error);
  }

  onSent(): void {
    this.#sent = true;
    const { deadlines, answerKind } = this.call;
    deadlines.disarm("connect");
    if (answerKind === "stream") {
      deadlines.arm("firstToken", this.endpoint.target.timeouts.firstTokenMs);
    }
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#guard(() => {
      learnVendorLimits(this.call.exchange.services, this.endpoint, headers);
      this.#sink = this.#sinkFor(status, headers);
      const encoding = headers["content-encoding"];
      if (encoding !== undefined && encoding !== "identity" && !this.#over) {
        this.#decoder = this.#decode(encoding);
      }
    });
  }

  onData(chunk: Buffer): void {
    this.#guard(() => {
      if (this.#decoder === undefined) {
        this.#sink?.data(chunk);
      } else {
        if (!this.#decoder.write(chunk)) {
          this.#upstream?.pause();
        }
      }
    });
  }

  onEnd(): void {
    this.#received = true;
    clearTimeout(this.#lateEnd);
    this.#guard(() => {
      if (this.#decoder === undefined) {
        this.#sink?.end();
      } else {
        this.#decoder.end();
      }
    });
  }

  onFailure(failure: UpstreamFailure): void {
    clearTimeout(this.#lateEnd);
    const message = "The connection to the model's provider broke in the midst of the answer.";
    const broken = new SluiceError("upstream_stream_broken", message, { cause: failure });
    this.#guard(() => {
      this.#failOver(connectionFailure(failure), broken);
    });
  }

  /** The answer has begun to go to the client, or can: no retry from here on. */
  answering(): void {
    const { exchange, deadlines } = this.call;
    exchange.firstTokenMs = exchange.elapsedMs();
    this.call.answered(this.endpoint);
    deadlines.disarm("firstToken");
    if (this.call.answerKind === "stream") {
      this.call.releaseBody();
      deadlines.armSilence("idle", this.endpoint.target.timeouts.idleMs);
    }
  }

  /**
   * A stream goes on. From time to time quotas learn of it.
   * @param usage what the upstream has reported so far @param contentEvents about one token each
   */
  progressed(usage: Usage | undefined, contentEvents: number): void {
    if (contentEvents >= this.#nextCheckpoint) {
      this.#nextCheckpoint = contentEvents + CHECKPOINT_TOKENS;
      this.call.progressed(usage, contentEvents);
    }
  }

  /** Everything the client should get has been given to it. */
  finished(): void {
    const mayEnd = !this.#over && !this.#received;
    this.#over = true;
    this.#decoder?.destroy();
    this.call.completed(this.endpoint);
    if (mayEnd) {
      this.#upstream?.resume();
      this.#lateEnd = setTimeout(() => {
        this.#upstream?.abort();
      }, LATE_END_MS).unref();
    }
  }

  /** The answer has come, whole, and is of no use: the model is asked once more, if it may be. */
  askAgain(most: number, bodyOf: (body: Buffer) => Buffer): boolean {
    this.call.deadlines.disarm("idle");
    this.#over = this.call.askAgain(this.endpoint, most, bodyOf);
    return this.#over;
  }

  /** The attempt failed and the client has seen nothing of it. */
  failed(failure: AttemptFailure): void {
    if (!this.#over) {
      this.#stop();
      this.call.failed(this.endpoint, failure);
    }
  }

  /** Nothing more is wanted of the upstream: the answer is complete, though its connection does not end as it should. */
  hangUp(): void {
    this.#stop();
  }

  /** The answer began and cannot go on. */
  breakOff(error: SluiceError | UpstreamError): void {
    this.#stop();
    this.call.brokeOff(this.endpoint, error);
  }

  /** Stops reading from the upstream until the client has taken what was written. The upstream's silence does not count. */
  waitForClient(): void {
    if (this.#over) {
      return;
    }
    const { exchange, deadlines } = this.call;
    const source = this.#decoder ?? this.#upstream;
    source?.pause();
    deadlines.disarm("idle");
    exchange.onDrain(() => {
      if (!this.#over) {
        deadlines.armSilence("idle", this.endpoint.target.timeouts.idleMs);
        source?.resume();
      }
    });
  }

  #sinkFor(status: number, headers: IncomingHttpHeaders): AnswerSink | undefined {
    if (status >= 400) {
      return new ErrorAnswer(this, status, headers);
    }
    if (status >= 300) {
      this.failed(
        invalidAnswer("The model's provider answered with a redirect; check the base URL in the configuration."),
      );
      return undefined;
    }
    const isStream = headers["content-type"]?.toLowerCase().startsWith("text/event-stream") === true;
    if (this.call.answerKind === "whole" || !isStream) {
      return new WholeAnswer(this, headers);
    }
    const { filters } = this.endpoint.target;
    const hasForm = this.call.operation === "chat";
    const passThrough = this.encoded.sameDialect && (!hasForm || filters.createEventFilter === undefined);
    return passThrough && this.call.exchange.answerForm === undefined
      ? new PassThroughStream(this, headers)
      : new ConvertedStream(this);
  }

  #decode(encoding: string): Decoder {
    return createDecoder(encoding, DECODER_LIMITS, {
      data: (chunk) => {
        this.#guard(() => this.#sink?.data(chunk));
      },
      end: () => {
        this.#guard(() => this.#sink?.end());
      },
      error: (error) => {
        this.#guard(() => {
          this.#failOver(invalidAnswer(error.message), error);
        });
      },
      drain: () => {
        this.#upstream?.resume();
      },
    });
  }

  /**
   * Runs a step of handling the answer; an answer that is not what it should be fails the attempt. What is thrown must
   * not reach the socket or the timer that called: it would end the worker with all that it serves.
   */
  #guard(step: () => void): void {
    if (this.#over) {
      return;
    }
    try {
      step();
    } catch (error) {
      if (this.#over) {
        // the attempt had ended when its answer could not be given: nothing else would answer the client
        this.call.exchange.fail(error);
      } else if (error instanceof SluiceError) {
        this.#failOver(invalidAnswer(error.message), error);
      } else {
        this.call.exchange.services.log.error({ err: error }, "an upstream's answer could not be handled");
        const internal = new SluiceError("internal_error", "The gateway failed to handle the model's answer.");
        this.#failOver(invalidAnswer(internal.message), internal);
      }
    }
  }

  /** Retries if the client has seen nothing, else ends the stream with the error. */
  #failOver(failure: AttemptFailure, whenBroken: SluiceError): void {
    if (this.#over) {
      return;
    }
    if (this.#sink === undefined || !this.#sink.broken(whenBroken)) {
      this.failed(failure);
    }
  }

  #stop(): void {
    this.#over = true;
    this.#decoder?.destroy();
    this.#upstream?.abort();
    this.call.deadlines.disarm("connect");
    this.call.deadlines.disarm("firstToken");
    this.call.deadlines.disarm("idle");
  }
}
