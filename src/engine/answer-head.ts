/** The head that every answer of Sluice has, whoever it comes from. Header names and values alternate. */
import type { Exchange } from "./exchange.ts";

/** Puts together an answer's own headers and those that the request, its route and its filters ask for. */
export function answerHead(exchange: Exchange, headers: readonly string[]): string[] {
  const { requestId, dialect, route, dropped, services } = exchange;
  const head = ["x-request-id", requestId, ...headers];
  if (dialect.name === "anthropic") {
    head.push("request-id", requestId);
  }
  if (route !== undefined) {
    for (const hook of route.answerHead) {
      hook(exchange, head);
    }
    if (route.config.exposeHeaders) {
      pushOwnHeaders(exchange, head);
    }
  }
  if (dropped.length > 0) {
    head.push("x-sluice-dropped", dropped.join(", "));
  }
  if (services.draining() && !exchange.isHttp2) {
    head.push("connection", "close");
  }
  return head;
}

function pushOwnHeaders({ endpoint, hits, dispatchMs }: Exchange, head: string[]): void {
  if (endpoint !== undefined) {
    head.push("x-sluice-provider", endpoint.target.provider.name, "x-sluice-model", endpoint.target.config.model);
  }
  head.push("x-sluice-attempts", String(hits), "x-sluice-overhead-ms", dispatchMs.toFixed(2));
}

/** `retry-after` in whole seconds, rounded up, and the exact `retry-after-ms`. */
export function retryAfter(ms: number): string[] {
  return ["retry-after", String(Math.max(1, Math.ceil(ms / 1000))), "retry-after-ms", String(Math.ceil(ms))];
}
