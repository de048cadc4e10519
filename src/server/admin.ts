import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import type { AdminTokenConfig } from "../config/snapshot.ts";
import type { PromptCatalogue } from "../engine/prompt-catalogue.ts";
import { type AdminAnswer, jsonAnswer, type LongAnswer, problem } from "./admin-answer.ts";
import { accessOf } from "./admin-guard.ts";
import { type AdminLimits, answerLimits, isLimitsPath, limitsMethods } from "./admin-limits.ts";
import { answerPrompts, isPromptPath } from "./admin-prompts.ts";
import { answerUsage, isUsagePath } from "./admin-usage.ts";
import type { UsageAnswer, UsageQuestion } from "./messages.ts";

/** What the admin server asks of the rest. */
export interface AdminServices {
  /** Why the gateway cannot take requests now, or undefined if it can. */
  isReady(): string | undefined;
  /** The metrics as text, in pieces: each is made when the one before is on its way. */
  renderMetrics(): Iterable<string>;
  /** What `content-type` says of that text. */
  readonly metricsContentType: string;
  /** What is used of what is limited. Rejects with LoaderUnavailable while nobody can tell. */
  usage(question: UsageQuestion): Promise<UsageAnswer>;
  /** The prompts of the configuration in use. */
  prompts(): Promise<PromptCatalogue>;
  /** Limits that are set at run time. */
  readonly limits: AdminLimits;
  /** Whose tokens open `/admin/v1`, as the configuration has them now; none: it is open, but for changes from elsewhere. */
  tokens(): readonly AdminTokenConfig[];
  /** Told of what `renderMetrics`, `usage`, `prompts` and `limits` threw. */
  onError(error: unknown): void;
}

/** Where a server listens: the port is the real one when 0 was asked for. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 8_192;
const MAX_CONNECTIONS = 256;

/** Milliseconds for which a long answer may hold the main thread at a time. */
const SLICE_MS = 4;

/** The admin port: /healthz (the process lives), /readyz (it takes requests), /metrics, usage, limits, and prompts. */
export class AdminServer {
  readonly #services: AdminServices;
  readonly #server: Server;
  #boundTo = "";

  constructor(services: AdminServices) {
    this.#services = services;
    this.#server = createServer(
      {
        headersTimeout: TIMEOUT_MS,
        requestTimeout: TIMEOUT_MS,
        keepAliveTimeout: TIMEOUT_MS,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: MAX_HEADER_BYTES,
      },
      (request, response) => this.#handle(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    // A client that reads its answer too slowly is cut off as well.
    this.#server.setTimeout(TIMEOUT_MS * 2);
  }

  /** Starts listening. @throws the system's error (EADDRINUSE, EACCES …) if that is impossible. */
  listen(address: ListenAddress): Promise<ListenAddress> {
    const { promise, resolve, reject } = Promise.withResolvers<ListenAddress>();
    this.#server.once("error", reject);
    this.#server.listen(address.port, address.host, () => {
      this.#server.off("error", reject);
      const bound = this.#server.address();
      const isAddress = typeof bound === "object" && bound !== null;
      this.#boundTo = isAddress ? bound.address : "";
      resolve({ host: address.host, port: isAddress ? bound.port : address.port });
    });
    return promise;
  }

  /** Stops listening and ends all connections. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    return promise;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? "";
    const path = target.split("?", 1)[0] ?? "";
    const access = accessOf(request, path, this.#services.tokens(), this.#boundTo);
    const isUnknown = access.refusal?.status === 401;
    const refusal = isUnknown ? access.refusal : (refuse(request.method ?? "", path) ?? access.refusal);
    if (refusal === undefined && isLimitsPath(path)) {
      void this.#send(request, response, answerLimits(request, path, access.by, this.#services.limits));
      return;
    }
    request.resume();
    if (refusal !== undefined) sendJson(response, refusal);
    else if (path === "/healthz") sendJson(response, jsonAnswer(200, { status: "ok" }));
    else if (path === "/readyz") sendJson(response, this.#readiness());
    else if (path === "/metrics") {
      void this.#sendPieces(request, response, this.#services.metricsContentType, this.#services.renderMetrics());
    } else if (isPromptPath(path))
      void this.#send(
        request,
        response,
        answerPrompts(path, () => this.#services.prompts()),
      );
    else
      void this.#send(
        request,
        response,
        answerUsage(target, (question) => this.#services.usage(question)),
      );
  }

  #readiness(): AdminAnswer {
    const reason = this.#services.isReady();
    return reason === undefined
      ? jsonAnswer(200, { status: "ready" })
      : jsonAnswer(503, { status: "not_ready", reason });
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Promise<AdminAnswer | LongAnswer>,
  ): Promise<void> {
    try {
      const result = await answer;
      if ("body" in result) sendJson(response, result);
      else await this.#sendPieces(request, response, "application/json", result.pieces);
    } catch (error) {
      if (response.destroyed) {
        return; // the client left before all of its request was there
      }
      this.#services.onError(error);
      sendJson(response, problem(500, "internal_error", "The report failed; the process log says why."));
    }
  }

  async #sendPieces(
    request: IncomingMessage,
    response: ServerResponse,
    contentType: string,
    pieces: Iterable<string>,
  ): Promise<void> {
    try {
      response.writeHead(200, { "content-type": contentType, "cache-control": "no-store" });
      if (request.method !== "HEAD") await writePieces(response, pieces);
      response.end();
    } catch (error) {
      this.#services.onError(error);
      // Part of the text may be out: a broken connection is the only honest end.
      response.destroy();
    }
  }
}

/** What is wrong with path or method. */
function refuse(method: string, path: string): AdminAnswer | undefined {
  const isLimits = isLimitsPath(path);
  if (!OPEN_PATHS.has(path) && !isLimits && !isUsagePath(path) && !isPromptPath(path)) {
    return problem(
      404,
      "route_not_found",
      "The admin port answers /healthz, /readyz, /metrics, /admin/v1/usage, /admin/v1/consumers/{name}/usage, /admin/v1/limits, /admin/v1/limits/{kind}/{name}, /admin/v1/templates, /admin/v1/templates/{name} and /admin/v1/templates/{name}/openapi.json.",
    );
  }
  const allow = isLimits ? limitsMethods(path) : "GET, HEAD";
  return allow.split(", ").includes(method)
    ? undefined
    : { ...problem(405, "method_not_allowed", `Use ${allow} with ${path.slice(0, 200)}.`), allow };
}

const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

function sendJson(response: ServerResponse, answer: AdminAnswer): void {
  const text = `${answer.body}\n`;
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    ...(answer.allow === undefined ? {} : { allow: answer.allow }),
    ...(answer.status === 401 ? { "www-authenticate": "Bearer" } : {}),
    // what is left of the body is not read
    ...(answer.status === 413 ? { connection: "close" } : {}),
  });
  response.end(text);
}

async function writePieces(response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  let deadline = performance.now() + SLICE_MS;
  for (const piece of pieces) {
    if (!response.write(piece)) await drained(response);
    if (response.destroyed) return;
    if (performance.now() < deadline) continue;
    await setImmediate();
    deadline = performance.now() + SLICE_MS;
  }
}

/** Resolves when the client has taken what was written, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("drain", resolve);
  response.once("close", resolve);
  if (response.destroyed) resolve();
  return promise.finally(() => {
    response.off("drain", resolve);
    response.off("close", resolve);
  });
}
