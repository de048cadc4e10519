import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** What the admin server asks of the rest. */
export interface AdminServices {
  /** Why the gateway cannot take requests now, or undefined if it can. */
  isReady(): string | undefined;
  /** The metrics as text. */
  renderMetrics(): string;
  /** What `content-type` says of that text. */
  readonly metricsContentType: string;
  /** Told of what `renderMetrics` or `isReady` threw. */
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

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The admin port: GET /healthz (the process lives), /readyz (it takes requests), /metrics. */
export class AdminServer {
  readonly #services: AdminServices;
  readonly #server: Server;

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
      resolve({ host: address.host, port: typeof bound === "object" && bound !== null ? bound.port : address.port });
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
    const answer = this.#answer(request.method ?? "", request.url ?? "");
    const headers = {
      "content-type": answer.contentType,
      "content-length": Buffer.byteLength(answer.body),
      "cache-control": "no-store",
      ...(answer.status === 405 ? { allow: "GET, HEAD" } : {}),
    };
    response.writeHead(answer.status, headers);
    response.end(request.method === "HEAD" ? undefined : answer.body);
    request.resume();
  }

  #answer(method: string, url: string): Answer {
    const path = url.split("?", 1)[0];
    if (path !== "/healthz" && path !== "/readyz" && path !== "/metrics") {
      return problem(404, "not_found", "The admin port answers /healthz, /readyz and /metrics.");
    }
    if (method !== "GET" && method !== "HEAD") return problem(405, "method_not_allowed", `Use GET ${path}.`);
    try {
      if (path === "/healthz") return json(200, { status: "ok" });
      if (path === "/readyz") return this.#readiness();
      return { status: 200, contentType: this.#services.metricsContentType, body: this.#services.renderMetrics() };
    } catch (error) {
      this.#services.onError(error);
      return problem(500, "internal_error", "The answer could not be made; the process log says why.");
    }
  }

  #readiness(): Answer {
    const reason = this.#services.isReady();
    return reason === undefined ? json(200, { status: "ready" }) : json(503, { status: "not_ready", reason });
  }
}

function json(status: number, body: object): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(body)}\n` };
}

function problem(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message } });
}
