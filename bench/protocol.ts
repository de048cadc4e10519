/** Messages between the bench and its helper process (the load generator and the upstream). */

/** How the upstream answers. */
export type UpstreamMode =
  /** Every request gets the same whole answer; its body is not looked at. */
  | { readonly answer: "whole"; readonly bytes: number }
  /** A request with `"stream":true` gets a stream, any other the whole answer. */
  | { readonly answer: "stream"; readonly bytes: number; readonly pace: Pace };

export type Pace =
  /** Each stream gets `perSecond` events a second, and ends after `events` of them (0: when told). */
  | { readonly kind: "rate"; readonly perSecond: number; readonly events: number }
  /** Each event written by itself, as fast as backpressure lets; a stream ends after `events`. */
  | { readonly kind: "saturate"; readonly events: number }
  /** One event, then silence until told to end. */
  | { readonly kind: "hold" };

export interface UpstreamStats {
  readonly requests: number;
  /** Events written, those at the ends of streams not counted. */
  readonly events: number;
  readonly openStreams: number;
  readonly openConnections: number;
  /** Requests whose connection was closed before the answer's end. */
  readonly aborted: number;
}

export type UpstreamCommand =
  | { readonly kind: "mode"; readonly mode: UpstreamMode }
  /** Ends all open streams (with their last events) in one go, and until the next mode each new one at once. */
  | { readonly kind: "finish" }
  | { readonly kind: "stats" };

export interface LoadJob {
  readonly host: string;
  readonly port: number;
  /** Whole HTTP requests, sent in turn. */
  readonly requests: readonly string[];
  readonly connections: number;
  readonly shape:
    /** Each connection sends its next request when the last one is answered. */
    | { readonly kind: "closed"; readonly maxRequests: number; readonly abortEvery: number }
    /** Requests start at fixed times, whatever the answers do. */
    | { readonly kind: "paced"; readonly perSecond: number }
    /** Each connection sends one request. */
    | { readonly kind: "once" };
  /** Count events of answers; otherwise only their ends matter. */
  readonly answers: "whole" | "events";
  /** What latency means: to the answer's end, or to its first event. */
  readonly latency: "end" | "first-event";
}

export interface LoadStats {
  readonly started: number;
  readonly completed: number;
  /** Answers that were not 200, cut off, or (streams) without `[DONE]`. */
  readonly failed: number;
  /** Given up on purpose. */
  readonly aborted: number;
  /** Requests that found no free connection at their time (paced). */
  readonly skipped: number;
  readonly events: number;
  /** Requests whose first event has come. */
  readonly firstEvents: number;
  readonly running: number;
  readonly latencyMs: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  readonly firstError: string;
}

export type LoadCommand =
  | { readonly kind: "start"; readonly job: LoadJob }
  | { readonly kind: "stats" }
  /** Starts no more requests, waits (at most `graceMs`) for those running, closes all connections. */
  | { readonly kind: "stop"; readonly graceMs: number };

/** What the process that is both sides does while nothing comes in. */
export type Rest =
  /** Waits in the kernel, as programs do. */
  | "asleep"
  /** Asks again and again: it is never asleep, so that nobody's write has to wake it. */
  | "awake";

/** A command to the process that is both sides. */
export type ToBothSides =
  | { readonly to: "load"; readonly command: LoadCommand }
  | { readonly to: "upstream"; readonly command: UpstreamCommand }
  | { readonly to: "process"; readonly command: Rest };

/** A command on its way; the answer carries its `id`. */
export interface Envelope<Command> {
  readonly id: number;
  readonly command: Command;
}

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Serves commands that come over the process's IPC channel; ends the process when the bench is gone. */
export function serveCommands(handle: (command: never) => Promise<unknown>): void {
  const send = process.send?.bind(process);
  if (send === undefined) {
    throw new Error("this is a helper process of the bench: run bench/run.ts");
  }
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message: Envelope<never>) => {
    handle(message.command).then(
      (value) => send({ id: message.id, value } satisfies Reply),
      (error: unknown) => send({ id: message.id, error: String(error) } satisfies Reply),
    );
  });
  send({ id: 0 } satisfies Reply);
}
