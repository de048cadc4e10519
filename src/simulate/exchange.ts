/** One request and its answer: where it stands, and what is to be undone when the client leaves. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Fault } from "./faults.ts";
import { apiKeyOf } from "./headers.ts";
import type { Phase, StatsKeeper } from "./stats.ts";

export class Exchange {
  readonly id: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly apiKey: string;
  readonly requestId: string;
  model = "";
  phase: Phase = "reading";
  tokensSent = 0;
  fault: Fault | undefined;
  readonly #startedAt = Date.now();
  readonly #stats: StatsKeeper;
  readonly #cleanups: (() => void)[] = [];
  #brokenByUs = false;
  #gone = false;

  constructor(id: number, path: string, request: IncomingMessage, response: ServerResponse, stats: StatsKeeper) {
    this.id = id;
    this.path = path;
    this.request = request;
    this.response = response;
    this.apiKey = apiKeyOf(request.headers);
    this.requestId = `req_${id.toString(36).padStart(20, "0")}`;
    this.#stats = stats;
    stats.start(path);
    // Writing to a client that has left is an error we commit on purpose (ignore-abort).
    response.on("error", () => {});
    response.on("close", () => {
      this.#close();
    });
  }

  /** The connection has ended before the answer had. */
  get gone(): boolean {
    return this.#gone;
  }

  /** The work goes on after the client has left. */
  get isDeaf(): boolean {
    return this.fault?.name === "ignore-abort";
  }

  get socket(): Socket {
    return this.request.socket;
  }

  /** Called when the client leaves, unless the work goes on regardless. */
  onGone(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends the connection with a FIN, so that the client sees an end too early. */
  breakOff(): void {
    this.#brokenByUs = true;
    this.socket.destroySoon();
  }

  /** Ends the connection with a RST. */
  reset(): void {
    this.#brokenByUs = true;
    this.socket.resetAndDestroy();
  }

  #close(): void {
    this.#stats.live -= 1;
    if (this.response.writableFinished) {
      this.#stats.completed += 1;
      return;
    }
    this.#gone = true;
    if (this.#brokenByUs) {
      this.#stats.broken += 1;
    } else {
      this.#stats.recordAbort({
        id: this.id,
        path: this.path,
        model: this.model,
        phase: this.phase,
        startedAt: this.#startedAt,
        abortedAt: Date.now(),
        tokensSent: this.tokensSent,
      });
    }
    if (!this.isDeaf) for (const cleanup of this.#cleanups) cleanup();
  }
}
