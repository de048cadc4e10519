/**
 * A fake inference engine over HTTP: the APIs of OpenAI (as vLLM and others serve them) and of Anthropic, with
 * speed, queue and prefix cache of an engine, and every fault a gateway may meet. For tests, benchmarks, and for
 * people who try Sluice without a model.
 */
import { hash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject, JsonValue } from "../lib/json.ts";
import { handleControl } from "./control.ts";
import { SimulatedEngine } from "./engine.ts";
import { Exchange } from "./exchange.ts";
import { FastAnswers } from "./fast.ts";
import { FaultRules, parseFaultRule, type FaultRule } from "./faults.ts";
import type { Machine } from "./generate.ts";
import { encodeMetrics } from "./metrics.ts";
import { resolveOptions, type ResolvedOptions, type SimulatorOptions } from "./options.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { asObject } from "./read.ts";
import { Router } from "./router.ts";
import { StatsKeeper, type RecordedRequest, type SimulatorStats } from "./stats.ts";
import { badRequest, VendorError } from "./vendor-error.ts";

/** A simulator that runs. */
export interface Simulator {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly port: number;
  stats(): SimulatorStats;
  /** The last requests to the APIs, oldest first, as they arrived. */
  requests(): readonly RecordedRequest[];
  /** Forgets counts, requests, faults and cache; requests under way go on. */
  reset(): void;
  /** Faults from now on, replacing those before; none ends them. @throws FaultSyntaxError */
  setFault(...faults: readonly (FaultRule | string)[]): void;
  /** Waits until the stats are as wanted. @throws Error with the stats if that takes longer than `timeoutMs` */
  waitFor(wanted: (stats: SimulatorStats) => boolean, timeoutMs: number): Promise<SimulatorStats>;
  /** Closes the port, so that connecting is refused, and every connection. */
  refuse(): Promise<void>;
  /** Opens the same port again. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

/** @throws FaultSyntaxError, or the error of listening */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = new RunningSimulator(resolveOptions(options));
  await simulator.accept();
  return simulator;
}

const POLL_MS = 5;

class RunningSimulator implements Simulator {
  readonly #options: ResolvedOptions;
  readonly #server: Server;
  readonly #machine: Machine;
  readonly #router: Router;
  readonly #rules = new FaultRules();
  readonly #fast: FastAnswers | undefined;
  readonly #connections = new WeakMap<Socket, number>();
  #connectionsTotal = 0;
  #connectionsOpen = 0;
  #exchanges = 0;
  #ids = 0;
  #port: number;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#machine = {
      options,
      engine: new SimulatedEngine(options),
      cache: new PrefixCache(options.cacheBlocks),
      stats: new StatsKeeper(options.recordLimit),
      makeId: (prefix) => this.#makeId(prefix),
    };
    this.#router = new Router(this.#machine);
    this.#fast = options.fast === undefined ? undefined : new FastAnswers(options.fast);
    this.setFault(...options.faults);
    this.#server = createServer({
      maxHeaderSize: 1024 * 1024,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
    });
    this.#server.on("request", (request, response) => {
      this.#handle(request, response);
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#track(socket);
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const host = this.#options.host.includes(":") ? `[${this.#options.host}]` : this.#options.host;
    return `http://${host}:${this.#port}`;
  }

  stats(): SimulatorStats {
    return this.#machine.stats.snapshot({
      running: this.#machine.engine.running,
      waiting: this.#machine.engine.waiting,
      connectionsOpen: this.#connectionsOpen,
      connectionsTotal: this.#connectionsTotal,
    });
  }

  requests(): readonly RecordedRequest[] {
    return this.#machine.stats.records;
  }

  reset(): void {
    this.#machine.stats.reset();
    this.#machine.cache.clear();
    this.#rules.set([]);
  }

  setFault(...faults: readonly (FaultRule | string)[]): void {
    this.#rules.set(faults.map((fault) => (typeof fault === "string" ? parseFaultRule(fault) : fault)));
  }

  async waitFor(wanted: (stats: SimulatorStats) => boolean, timeoutMs: number): Promise<SimulatorStats> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const stats = this.stats();
      if (wanted(stats)) return stats;
      if (performance.now() > deadline) {
        throw new Error(
          `not within ${timeoutMs} ms: ${wanted.toString()}; the simulator has seen ${JSON.stringify(stats)}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  async refuse(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async accept(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, this.#options.host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address: AddressInfo | string | null = this.#server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  async close(): Promise<void> {
    this.#fast?.close();
    if (this.#server.listening) await this.refuse();
  }

  #makeId(prefix: string): string {
    this.#ids += 1;
    return prefix + hash("sha256", `${this.#port} ${this.#ids}`, "hex").slice(0, 24);
  }

  #track(socket: Socket): void {
    this.#connectionsTotal += 1;
    this.#connectionsOpen += 1;
    this.#connections.set(socket, this.#connectionsTotal);
    socket.on("close", () => {
      this.#connectionsOpen -= 1;
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#fast !== undefined && request.method === "POST") {
      this.#machine.stats.hits += 1;
      this.#fast.handle(request, response);
      return;
    }
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const controls = {
      stats: () => this.stats(),
      requests: () => this.requests(),
      reset: () => {
        this.reset();
      },
      setFaults: (rules: readonly FaultRule[]) => {
        this.#rules.set(rules);
      },
      metrics: () => this.#metrics(),
      countRedirect: () => {
        this.#machine.stats.countPath(path);
      },
    };
    if (handleControl(path, request, response, controls)) return;
    this.#exchanges += 1;
    this.#read(new Exchange(this.#exchanges, path, request, response, this.#machine.stats));
  }

  #metrics(): string {
    const { engine, cache, stats } = this.#machine;
    return encodeMetrics(this.#options.models?.[0] ?? "simulated", engine, cache, stats);
  }

  #read(exchange: Exchange): void {
    const { request } = exchange;
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= this.#options.maxBodyBytes) chunks.push(chunk);
    });
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      this.#record(exchange, body);
      this.#router.answer(
        exchange,
        () => {
          if (size > this.#options.maxBodyBytes) throw new VendorError(413, "Request exceeds the maximum size");
          return parseBody(body);
        },
        this.#rules,
      );
    });
  }

  #record(exchange: Exchange, body: Buffer): void {
    const { request } = exchange;
    const rawHeaders: [string, string][] = [];
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
      rawHeaders.push([request.rawHeaders[index] ?? "", request.rawHeaders[index + 1] ?? ""]);
    }
    this.#machine.stats.record({
      id: exchange.id,
      receivedAt: Date.now(),
      method: request.method ?? "",
      url: request.url ?? "",
      httpVersion: request.httpVersion,
      rawHeaders,
      body,
      connection: this.#connections.get(request.socket) ?? 0,
    });
  }
}

function parseBody(body: Buffer): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(body.toString()) as JsonValue;
  } catch {
    throw badRequest("We could not parse the JSON body of your request.");
  }
  const object = asObject(value);
  if (object === undefined) throw badRequest("The body of your request must be a JSON object.");
  return object;
}
