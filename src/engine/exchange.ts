/**
 * One client's request and the answer to it: reading the body, writing the answer, noticing that the client left, and
 * keeping the usage entry. What the answer is made of is others' work.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isSluiceError, SluiceError } from "../lib/errors.ts";
import type { RequestView } from "../filters/contract.ts";
import type { Dialect, Operation, UpstreamError } from "../dialects/contract.ts";
import type { Outcome } from "../ledger/entry.ts";
import type { AnswerForm } from "./answer-form.ts";
import { answerHead, retryAfter } from "./answer-head.ts";
import type { CallQuota } from "./call-quota.ts";
import type { ClientAnswer, ClientRequest } from "./client-messages.ts";
import type { CompiledDomain, CompiledRoute, Endpoint, Engine } from "./engine.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import type { EngineLease } from "./lease.ts";
import { outcomeOf } from "./outcome.ts";
import type { Policy } from "./policy.ts";
import { bodyTooLarge, readRequestBody, stillArrives } from "./request-body.ts";
import { requestTarget } from "./request-target.ts";
import type { Services } from "./services.ts";
import type { UsageSlot } from "./usage-slot.ts";

const EVENT_STREAM = ["content-type", "text/event-stream; charset=utf-8", "cache-control", "no-cache"];
const HEARTBEAT = ": keep-alive\n\n";
const CLIENT_LEFT_STATUS = 499;

/** What was learned about the one who calls. */
export interface Caller {
  readonly consumerId: number;
  readonly keyId: number;
  readonly policy: Policy;
}

/** Something under way for the exchange that must stop when the client leaves or is told of an error. */
export interface Abortable {
  abort(): void;
}

/** The client's connection, told when an exchange on it has ended. */
export interface ExchangeCarrier {
  ended(exchange: Exchange): void;
}

export class Exchange implements RequestView {
  readonly requestId: string;
  /** The usage entry, as it grows. */
  readonly entry: UsageSlot;
  readonly method: string;
  readonly isHttp2: boolean;
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
  /** Path and query as they came. */
  readonly target: string;
  path: string;
  readonly lease: EngineLease;
  readonly engine: Engine;
  readonly services: Services;
  /** Monotonic milliseconds. */
  readonly startedAt = performance.now();
  dialect: Dialect;
  operation: Operation | undefined;
  domain: CompiledDomain | undefined;
  route: CompiledRoute | undefined;
  caller: Caller | undefined;
  /** What the call holds of quotas; undefined if nothing limits it. */
  quota: CallQuota | undefined;

  /** Words the answer of a prompt; undefined: the dialect does. */
  answerForm: AnswerForm | undefined;
  /** What the client asked for and what serves it, for the usage entry and the `x-sluice-*` headers. */
  hits = 0;
  dispatchMs = 0;
  firstTokenMs = 0;
  endpoint: Endpoint | undefined;
  dropped: readonly string[] = [];
  /** Says that the body is held no longer. */
  releaseBody: (() => void) | undefined;
  /** Absent on HTTP/2, where a stream carries one exchange. */
  connection: ExchangeCarrier | undefined;

  readonly #request: ClientRequest;
  readonly #answer: ClientAnswer;
  #running: Abortable | undefined;
  #outcome: Outcome = "ok";
  #errorCode = "";
  #bytesOut = 0;
  /** What a collected answer has taken of the memory for such answers. */
  #answerBytes = 0;
  /** The last event of a stream that broke is written; the connection ends in a moment. */
  #broken = false;
  #finished = false;
  #lastWriteAt = 0;
  #onDrain: (() => void) | undefined;

  constructor(
    request: ClientRequest,
    answer: ClientAnswer,
    requestId: string,
    entry: UsageSlot,
    lease: EngineLease,
    services: Services,
    dialect: Dialect,
  ) {
    this.#request = request;
    this.#answer = answer;
    this.requestId = requestId;
    this.method = request.method ?? "";
    this.isHttp2 = "stream" in answer;
    this.headers = request.headers;
    const { host, target } = requestTarget(request.url ?? "", request.headers);
    this.host = host;
    this.path = this.target = target;
    this.entry = entry;
    this.lease = lease;
    this.engine = lease.engine;
    lease.hold();
    this.services = services;
    this.dialect = dialect;
    answer.on("finish", () => {
      this.#finish(this.#outcome, answer.statusCode);
    });
  }

  /** The head of the answer has been sent: from now on only a stream can say that something went wrong. */
  get headSent(): boolean {
    return this.#answer.headersSent;
  }

  /** Nobody waits for the answer any more, or it has been given. */
  get ended(): boolean {
    return this.#finished;
  }

  /** The request, its body included, has not arrived as a whole. */
  get arriving(): boolean {
    return !this.#request.complete;
  }

  /** Monotonic time of the last byte written to a stream. */
  get lastWriteAt(): number {
    return this.#lastWriteAt;
  }

  /** Milliseconds since the request began. */
  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /**
   * Reads the whole body, then calls back once; what that throws becomes the answer. A body over the limit is refused
   * before it is read. When the client leaves in the midst of it there is no call.
   */
  readBody(maxBytes: number, onBody: (body: Buffer) => void): void {
    const declared = this.headers["content-length"];
    if (declared !== undefined && Number(declared) > maxBytes) {
      this.sendError(bodyTooLarge(maxBytes));
      return;
    }
    // HTTP/1.0 knows no interim answers (RFC 9110 section 10.1.1)
    if (this.headers.expect !== undefined && this.#request.httpVersion !== "1.0") {
      this.#answer.writeContinue();
    }
    this.releaseBody = readRequestBody(this.#request, maxBytes, this.services.bodies, {
      answered: () => this.#finished || this.headSent,
      onRefused: (error) => {
        this.sendError(error);
      },
      onBody: (body) => {
        this.entry.received(body.length);
        try {
          onBody(body);
        } catch (error) {
          this.fail(error);
        }
      },
    });
  }

  /** Sets what must stop when the client leaves or is told of an error; undefined when nothing runs. */
  setRunning(running: Abortable | undefined): void {
    this.#running = running;
  }

  /** Makes room for more of an answer that is collected, until the client has it. Returns false where there is none. */
  holdAnswer(bytes: number): boolean {
    const hasRoom = this.services.answers.take(bytes, this.#answerBytes);
    this.#answerBytes += hasRoom ? bytes : 0;
    return hasRoom;
  }

  /** What was collected of an answer is held no longer. */
  dropAnswer(): void {
    this.services.answers.giveBack(this.#answerBytes);
    this.#answerBytes = 0;
  }

  /** Sends a whole answer. @param headers names and values, alternating, content-type included */
  send(status: number, headers: readonly string[], body: string | Buffer): void {
    if (this.#finished || this.headSent) {
      return;
    }
    this.services.streams.delete(this);
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const head = answerHead(this, headers);
    if (status !== 204) {
      head.push("content-length", String(bytes.length));
    }
    this.#bytesOut = bytes.length;
    this.#outcome = status >= 400 && this.#outcome === "ok" ? "refused" : this.#outcome;
    if (stillArrives(this.#request)) {
      this.#sendEarly(status, head, bytes);
      return;
    }
    this.#answer.writeHead(status, head);
    this.#answer.end(bytes);
  }

  /** Sends JSON. */
  sendJson(status: number, body: object): void {
    this.send(status, ["content-type", "application/json"], JSON.stringify(body));
  }

  /** Answers with an error, in the client's dialect; in a stream that has begun, as its last event. */
  sendError(error: SluiceError | UpstreamError, headers: readonly string[] = []): void {
    if (this.#finished || this.#broken || this.#answer.writableEnded) {
      return;
    }
    this.#stopRunning();
    const own = isSluiceError(error);
    this.#errorCode = own ? error.code : "upstream_error";
    this.#outcome = outcomeOf(error);
    if (this.headSent) {
      this.#outcome = this.#outcome === "timeout" ? "timeout" : "broken";
      this.#breakStream(this.dialect.client.encodeStreamError(error, this.requestId));
      return;
    }
    const { client } = this.dialect;
    const { status, body } = own
      ? client.encodeError(error, this.requestId)
      : client.encodeUpstreamError(error, this.requestId);
    const head = ["content-type", "application/json", ...headers];
    if (own && error.retryAfterMs !== undefined) {
      head.push(...retryAfter(error.retryAfterMs));
    }
    if (own && error.retry === "never") {
      head.push("x-should-retry", "false");
    }
    this.send(status, head, JSON.stringify(body));
  }

  /** Answers with whatever was thrown; what is not a SluiceError is our fault and says nothing of the inside. */
  fail(error: unknown): void {
    if (isSluiceError(error)) {
      this.sendError(error);
      return;
    }
    this.services.log.error({ err: error, requestId: this.requestId }, "request failed inside the gateway");
    this.sendError(new SluiceError("internal_error", "The gateway failed to handle this request; it has been logged."));
  }

  /** Passes on an upstream's error answer as the bytes it came in (same dialect). */
  sendUpstreamErrorBytes(status: number, headers: readonly string[], body: Buffer): void {
    this.#errorCode = "upstream_error";
    this.#outcome = "upstream_error";
    this.send(status, headers, body);
  }

  /** A stream was asked for: from now on the client hears something at least every heartbeat. */
  expectStream(): void {
    this.#lastWriteAt = performance.now();
    this.services.streams.add(this);
  }

  /** Begins a stream: the head goes out at once. Does nothing if a heartbeat has done it before. */
  startStream(headers: readonly string[]): void {
    if (this.#finished || this.headSent) {
      return;
    }
    this.#answer.writeHead(200, answerHead(this, [...EVENT_STREAM, ...headers]));
    this.#answer.flushHeaders();
  }

  /** Writes whole events. Returns false when the client is slow: call `onDrain` and pause. */
  write(bytes: Buffer | string): boolean {
    if (this.#finished) {
      return true;
    }
    this.#lastWriteAt = performance.now();
    const buffer = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    this.#bytesOut += buffer.length;
    return this.#answer.write(buffer);
  }

  /** Calls back once when the client has taken what was written. */
  onDrain(callback: () => void): void {
    if (this.#onDrain === undefined) {
      this.#answer.on("drain", () => {
        const waiting = this.#onDrain;
        this.#onDrain = () => {};
        waiting?.();
      });
    }
    this.#onDrain = callback;
  }

  /** Tells a silent client that the stream lives; every write ends between events, so this always fits in. */
  heartbeat(): void {
    // to one who takes nothing it would only add to what waits
    if (!this.#finished && this.#answer.writableLength === 0) {
      this.startStream([]);
      this.write(HEARTBEAT);
    }
  }

  /** Ends a stream that is complete. */
  endStream(): void {
    this.services.streams.delete(this);
    this.#answer.end();
  }

  /** Ends a stream whose last event already told the client of an error. */
  breakStreamAfterError(): void {
    this.#outcome = "broken";
    this.#errorCode = "upstream_error";
    this.#breakStream("");
  }

  /** The client's connection is gone. */
  clientLeft(): void {
    if (this.#finished) {
      return;
    }
    const planned = this.#outcome;
    const status = this.headSent ? this.#answer.statusCode : CLIENT_LEFT_STATUS;
    this.#finish(planned === "ok" ? "aborted" : planned, status);
  }

  /** An attempt is about to be made. */
  attempt(endpoint: Endpoint, serving: ServingModel): void {
    this.endpoint = endpoint;
    this.hits += 1;
    this.dispatchMs = this.elapsedMs();
    this.firstTokenMs = 0;
    this.entry.attempt(endpoint, this.hits, serving);
  }

  /** The whole answer goes out now; the connection is ended when the client can have read it. */
  #sendEarly(status: number, head: string[], body: Buffer): void {
    if (!this.isHttp2) {
      head.push("connection", "close");
    }
    this.#answer.writeHead(status, head);
    this.#answer.flushHeaders();
    if (body.length > 0) {
      this.#answer.write(body);
    }
    this.#finish(this.#outcome, status);
    this.#answer.endEarly();
  }

  #breakStream(lastEvents: string): void {
    if (this.#broken) {
      return;
    }
    this.#broken = true;
    this.services.streams.delete(this);
    if (lastEvents !== "") {
      this.write(lastEvents);
    }
    // no terminating chunk: an HTTP client sees that the answer is not whole, whatever it makes of the event
    this.#answer.cutOff();
  }

  /** Nothing may be said after an error. */
  #stopRunning(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.abort();
  }

  #finish(outcome: Outcome, status: number): void {
    if (this.#finished) {
      return;
    }
    this.#finished = true;
    this.#stopRunning();
    this.services.streams.delete(this);
    this.quota?.end(this.entry, this.hits);
    const timings = { dispatchMs: this.dispatchMs, firstTokenMs: this.firstTokenMs, totalMs: this.elapsedMs() };
    this.entry.close(outcome, status, this.#errorCode, this.#bytesOut, timings);
    this.lease.letGo();
    this.releaseBody?.();
    this.dropAnswer();
    this.connection?.ended(this);
    this.services.ended(this);
  }
}
