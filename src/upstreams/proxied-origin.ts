/** An origin behind the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY), on undici's proxy agent. */
import type { IncomingHttpHeaders } from "node:http";
import { EnvHttpProxyAgent, type Dispatcher } from "undici";
import {
  UpstreamFailure,
  type Origin,
  type OriginOptions,
  type UpstreamCall,
  type UpstreamFailureKind,
  type UpstreamHandler,
  type UpstreamRequest,
} from "./origin.ts";

/** Shorter than what common servers keep (uvicorn 5 s), so that we close first and lose no request to the race. */
const KEEP_ALIVE_MS = 4_000;
const MAX_ANSWER_HEADER_BYTES = 64 * 1024;

/** Makes the pool of one origin that is reached through the environment's proxy. */
export function createProxiedOrigin(options: OriginOptions): Origin {
  const agent = new EnvHttpProxyAgent({
    connections: options.maxConnections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
    // Sluice's own clocks watch each request
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: options.connectTimeoutMs },
  });
  return new ProxiedOrigin(options.url, agent);
}

class ProxiedOrigin implements Origin {
  readonly #url: string;
  readonly #dispatcher: Dispatcher;

  constructor(url: string, dispatcher: Dispatcher) {
    this.#url = url;
    this.#dispatcher = dispatcher;
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const call = new ProxiedCall(handler);
    this.#dispatcher.dispatch(
      {
        origin: this.#url,
        method: request.method,
        path: request.path,
        headers: [...request.fixedHeaders, ...request.headers],
        body: request.body,
      },
      call,
    );
    return call;
  }

  async close(): Promise<void> {
    await this.#dispatcher.close();
  }
}

class ProxiedCall implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #handler: UpstreamHandler;
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;

  constructor(handler: UpstreamHandler) {
    this.#handler = handler;
  }

  abort(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#controller?.abort(new Error("aborted"));
    }
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) {
      controller.abort(new Error("aborted"));
    } else {
      this.#handler.onSent();
    }
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 1xx heads (100, 103) only announce the real one
    if (!this.#ended && status >= 200) {
      this.#handler.onHead(status, headers);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#ended) {
      this.#handler.onData(chunk);
    }
  }

  onResponseEnd(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#handler.onEnd();
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#handler.onFailure(new UpstreamFailure(failureKind(error), error));
    }
  }
}

const CONNECT_CODES = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ECONNABORTED",
  "EPROTO",
  // the proxy refused to open a tunnel; what we abort ourselves never comes here
  "UND_ERR_ABORTED",
]);

function failureKind(error: Error): UpstreamFailureKind {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "UND_ERR_CONNECT_TIMEOUT") {
    return "connectTimeout";
  }
  if (CONNECT_CODES.has(code) || code.startsWith("ERR_TLS") || code.startsWith("ERR_SSL") || code.includes("CERT")) {
    return "connect";
  }
  if (code.startsWith("HPE_") || code.includes("MISMATCH") || code.includes("OVERFLOW")) {
    return "protocol";
  }
  return "reset";
}
