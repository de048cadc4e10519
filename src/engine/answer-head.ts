/** The head that every answer of Sluice has, whoever it comes from. Header names and values alternate. */
import { formatUsd } from "../ledger/prices/cost.ts";
import { headerText } from "../lib/header-text.ts";
import type { Exchange } from "./exchange.ts";
import { pushRateLimits } from "./rate-limit-headers.ts";

/** Fields named in `x-sluice-dropped`, and characters of it: they are the client's words, however many and long. */
const MAX_DROPPED_FIELDS = 32;
const MAX_DROPPED_LENGTH = 2_048;
/** Of a model's name that the client chose. */
const MAX_MODEL_LENGTH = 128;

/** Puts together an answer's own headers and those that the request, its route and its filters ask for. */
export function answerHead(exchange: Exchange, headers: readonly string[]): string[] {
  const { requestId, dialect, route, dropped, services } = exchange;
  const head = ["x-request-id", requestId, ...headers];
  // a vendor's own stands: with two of a name, SDKs read both as one
  if (dialect.name === "anthropic" && !headers.includes("request-id")) {
    head.push("request-id", requestId);
  }
  if (route !== undefined) {
    for (const hook of route.answerHead) {
      hook(exchange, head);
    }
    if (exchange.quota?.plan !== undefined) {
      pushRateLimits(exchange.quota.plan, services.quotas.admission.table, head);
    }
    if (route.config.exposeHeaders) {
      pushOwnHeaders(exchange, head);
    }
  }
  if (dropped.length > 0) {
    head.push("x-sluice-dropped", droppedText(dropped));
  }
  if (services.draining() && !exchange.isHttp2) {
    head.push("connection", "close");
  }
  return head;
}

function pushOwnHeaders(exchange: Exchange, head: string[]): void {
  const { endpoint, hits, dispatchMs } = exchange;
  const { nanoUsd, upstreamName } = exchange.entry;
  if (endpoint !== undefined) {
    const { provider, config } = endpoint.target;
    const model = upstreamName === "" ? config.model : upstreamName.slice(0, MAX_MODEL_LENGTH);
    head.push("x-sluice-provider", provider.name, "x-sluice-model", headerText(model));
  }
  head.push("x-sluice-attempts", String(hits), "x-sluice-overhead-ms", dispatchMs.toFixed(2));
  // what a stream uses is not known when its head goes out
  if (nanoUsd !== undefined) {
    head.push("x-sluice-cost", formatUsd(nanoUsd));
  }
}

function droppedText(fields: readonly string[]): string {
  const shown = fields.slice(0, MAX_DROPPED_FIELDS).map((field) => headerText(field, ","));
  let text = shown.join(", ");
  if (fields.length > shown.length) {
    text += ", ...";
  }
  return text.length > MAX_DROPPED_LENGTH ? `${text.slice(0, MAX_DROPPED_LENGTH)}...` : text;
}

/** `retry-after` in whole seconds, rounded up, and the exact `retry-after-ms`. */
export function retryAfter(ms: number): string[] {
  return ["retry-after", String(Math.max(1, Math.ceil(ms / 1000))), "retry-after-ms", String(Math.ceil(ms))];
}
