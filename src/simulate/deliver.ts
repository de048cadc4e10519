/** Sends whole answers and streams, with the faults that befall an answer on its way. */
import type { JsonObject } from "../lib/json.ts";
import { callAt } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { faultNumber, type Fault } from "./faults.ts";
import { createOutlet, type Outlet } from "./outlet.ts";
import type { Frame } from "./task.ts";

/** Token after which a fault strikes when it does not say. */
const DEFAULT_FAULT_TOKENS = 2;
/** By how much a wrong content-length is wrong. */
const LENGTH_ERROR_BYTES = 10;

/** Sends a JSON body, or what the exchange's fault makes of it. */
export function deliverJson(exchange: Exchange, status: number, headers: readonly string[], value: JsonObject): void {
  const { response, fault } = exchange;
  const body = JSON.stringify(value);
  const length = Buffer.byteLength(body);
  const outlet = createOutlet(response, fault);
  const head = [...headers, "content-type", "application/json", ...outlet.headers];
  const open = (announced: number): void => {
    response.writeHead(status, outlet.framesLength ? [...head, "content-length", String(announced)] : head);
    response.flushHeaders();
  };
  const half = body.slice(0, Math.floor(body.length / 2));
  exchange.phase = "answering";
  switch (fault?.name) {
    case "hang-token":
      open(length);
      exchange.phase = "hanging";
      return;
    case "reset-token":
      open(length);
      setImmediate(() => {
        exchange.reset();
      });
      return;
    case "hang-body":
    case "reset-body":
    case "close-body":
      open(length);
      response.write(half);
      breakAt(exchange, fault.name);
      return;
    case "truncated-event":
      open(Buffer.byteLength(half));
      response.end(half);
      return;
    case "length-long":
      open(length + LENGTH_ERROR_BYTES);
      response.write(body);
      setImmediate(() => {
        exchange.breakOff();
      });
      return;
    case "length-short":
      open(length - LENGTH_ERROR_BYTES);
      response.end(body);
      return;
    case undefined:
      response.writeHead(status, [...head, "content-length", String(length)]);
      response.end(body);
      return;
    default:
      open(length);
      outlet.write(body);
      outlet.end();
  }
}

function breakAt(exchange: Exchange, fault: "hang-body" | "reset-body" | "close-body"): void {
  if (fault === "hang-body") {
    exchange.phase = "hanging";
    return;
  }
  // What was written before must have left, or a reset would discard it.
  setImmediate(() => {
    if (fault === "reset-body") exchange.reset();
    else exchange.breakOff();
  });
}

/** What a stream needs to know to pace itself. */
export interface StreamPlan {
  readonly frames: readonly Frame[];
  readonly headers: readonly string[];
  /** The SSE event of an upstream that gives up in the middle. */
  readonly errorEvent: string;
  /** Milliseconds until the next token, asked before each. */
  readonly tokenMs: () => number;
  readonly onToken: () => void;
  /** The engine's work is over, however it ended. */
  readonly onEnd: () => void;
}

/** A stream under way. */
export class StreamDelivery {
  readonly #exchange: Exchange;
  readonly #plan: StreamPlan;
  readonly #outlet: Outlet;
  #position = 0;
  #dueAt = 0;
  #cancelTimer: (() => void) | undefined;
  /** Nothing more is sent, but the client is still there. */
  #halted = false;
  #over = false;

  constructor(exchange: Exchange, plan: StreamPlan) {
    this.#exchange = exchange;
    this.#plan = plan;
    this.#outlet = createOutlet(exchange.response, exchange.fault);
    exchange.onGone(() => {
      this.#finish();
    });
  }

  /** Sends the head and what precedes all work. */
  open(): void {
    const { response, fault } = this.#exchange;
    const total = this.#plan.frames.reduce((sum, frame) => sum + Buffer.byteLength(frame.text), 0);
    response.writeHead(200, [
      ...this.#plan.headers,
      "content-type",
      "text/event-stream; charset=utf-8",
      "cache-control",
      "no-cache",
      ...lengthHeaders(fault, total),
      ...this.#outlet.headers,
    ]);
    response.flushHeaders();
    while (this.#next()?.kind === "head") this.#send();
    if (fault?.name === "hang-token") {
      this.#exchange.phase = "hanging";
      this.#halted = true;
    } else if (fault?.name === "reset-token") {
      this.#halted = true;
      setImmediate(() => {
        this.#exchange.reset();
      });
    }
  }

  /** The first token is ready: sends it and goes on until the end. */
  start(): void {
    if (this.#over || this.#halted) return;
    this.#exchange.phase = "answering";
    this.#dueAt = performance.now();
    this.#run();
  }

  #next(): Frame | undefined {
    return this.#plan.frames[this.#position];
  }

  #send(): boolean {
    const text = this.#next()?.text ?? "";
    this.#position += 1;
    return this.#outlet.write(text);
  }

  #run(): void {
    let frame = this.#next();
    while (frame !== undefined && !this.#over) {
      if (this.#strike(frame)) return;
      const flows = this.#send();
      if (frame.kind === "token") {
        this.#exchange.tokensSent += 1;
        this.#plan.onToken();
        const waitMs = this.#plan.tokenMs();
        if (waitMs > 0) {
          this.#dueAt += waitMs;
          this.#cancelTimer = callAt(this.#dueAt, () => {
            this.#run();
          });
          return;
        }
      }
      if (!flows && !this.#exchange.gone) {
        this.#exchange.response.once("drain", () => {
          this.#run();
        });
        return;
      }
      frame = this.#next();
    }
    if (this.#over) return;
    this.#outlet.end();
    this.#finish();
  }

  /** Commits the fault if its moment has come. Returns true if the stream is over by it. */
  #strike(frame: Frame): boolean {
    const fault = this.#exchange.fault;
    if (fault === undefined) return false;
    if (fault.name === "no-done" && frame.kind === "done") return this.#stop(() => this.#outlet.end());
    if (frame.kind !== "token" && frame.kind !== "finish") return false;
    const due = frame.kind === "finish" || this.#exchange.tokensSent >= faultNumber(fault, DEFAULT_FAULT_TOKENS);
    if (!due) return false;
    switch (fault.name) {
      case "hang-body":
      case "reset-body":
      case "close-body": {
        const { name } = fault;
        return this.#stop(() => {
          breakAt(this.#exchange, name);
        });
      }
      case "no-finish":
        return this.#stop(() => this.#outlet.end());
      case "truncated-event":
        return this.#stop(() => {
          this.#outlet.write(frame.text.slice(0, Math.floor(frame.text.length / 2)));
          this.#outlet.end();
        });
      case "error-event":
        return this.#stop(() => {
          this.#outlet.write(this.#plan.errorEvent);
          this.#outlet.end();
        });
      default:
        return false;
    }
  }

  #stop(how: () => void): true {
    how();
    this.#finish();
    return true;
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    this.#plan.onEnd();
  }
}

/** A stream has no content-length unless a fault gives it a wrong one. */
function lengthHeaders(fault: Fault | undefined, total: number): string[] {
  if (fault?.name === "length-long")
    return ["content-length", String(total + LENGTH_ERROR_BYTES), "connection", "close"];
  if (fault?.name === "length-short") return ["content-length", String(total - LENGTH_ERROR_BYTES)];
  return [];
}
