/** Steady load on a gateway: callers that send one request after the other, on connections of their own. */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ending } from "./harness.ts";
import { chatBody } from "./raw-http.ts";

/** What became of one request. */
export interface LoadResult {
  /** 0 if the connection failed. */
  readonly status: number;
  /** Why, if the connection failed or a stream did not come whole. */
  readonly failure: string;
  /** The answer's `x-request-id`; "" if there was no answer. */
  readonly requestId: string;
  readonly startedAt: number;
  readonly ms: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly key: string;
  readonly model: string;
  readonly callers: number;
  readonly content?: string;
  readonly stream?: boolean;
  /** Between two requests of a caller. Default 0. */
  readonly pauseMs?: number;
}

/** Load that goes on until it is stopped. */
export class Load {
  readonly results: LoadResult[] = [];
  readonly #options: LoadOptions;
  readonly #callers: Promise<void>[];
  #stopping = false;

  constructor(t: Ending, options: LoadOptions) {
    this.#options = options;
    t.after(() => this.stop());
    this.#callers = Array.from({ length: options.callers }, () => this.#run());
  }

  /** Requests that did not end with this status as they should. */
  failures(wanted = 200): LoadResult[] {
    return this.results.filter(({ status, failure }) => status !== wanted || failure !== "");
  }

  /** Lets what runs end, and starts nothing more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#callers);
  }

  /** Milliseconds that this share of the requests did not exceed. */
  quantile(share: number): number {
    const sorted = this.results.map(({ ms }) => ms).toSorted((left, right) => left - right);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  }

  async #run(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#stopping) {
      this.results.push(await this.#call(agent));
      if (this.#options.pauseMs !== undefined) await sleep(this.#options.pauseMs);
    }
    agent.destroy();
  }

  #call(agent: Agent): Promise<LoadResult> {
    const { port, key, model, content = "hi", stream = false } = this.#options;
    const body = chatBody(model, content, { stream });
    const startedAt = performance.now();
    return new Promise((resolve) => {
      let requestId = "";
      const done = (status: number, failure: string): void => {
        resolve({ status, failure, requestId, startedAt, ms: performance.now() - startedAt });
      };
      const request = httpRequest({
        port,
        host: "127.0.0.1",
        agent,
        method: "POST",
        path: "/v1/chat/completions",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          authorization: `Bearer ${key}`,
        },
      });
      request.on("error", (error) => {
        done(0, error.message);
      });
      request.on("response", (response) => {
        requestId = String(response.headers["x-request-id"] ?? "");
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("error", (error) => {
          done(response.statusCode ?? 0, error.message);
        });
        response.on("end", () => {
          const whole = !stream || response.statusCode !== 200 || text.endsWith("data: [DONE]\n\n");
          done(response.statusCode ?? 0, whole ? "" : `the stream ended with ${text.slice(-200)}`);
        });
      });
      request.end(body);
    });
  }
}
