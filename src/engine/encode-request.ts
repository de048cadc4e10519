/**
 * Makes the upstream request of one attempt. Where client and target speak one dialect and no filter asks for the parsed
 * body, the body is the client's bytes with the model name (and `include_usage`) spliced in; otherwise it is parsed,
 * filtered and written again.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Operation } from "../dialects/contract.ts";
import type { ChatRequest } from "../dialects/form.ts";
import { SluiceError } from "../lib/errors.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { setMembers, splice } from "../lib/json-splice.ts";
import type { UpstreamRequest } from "../upstreams/origin.ts";
import type { Endpoint } from "./engine.ts";
import type { ModelCall } from "./model-call.ts";
import { upstreamModelFor } from "./models.ts";
import { parseJson } from "../lib/json-parse.ts";

/** The upstream request of one attempt, and what of its encoding matters to the answer. */
export interface EncodedAttempt {
  readonly request: UpstreamRequest;
  readonly encoded: RequestEncoding;
}

/** How a request was encoded. */
export interface RequestEncoding {
  /** Client and target speak one dialect: the answer's bytes can go through. */
  readonly sameDialect: boolean;
  /** We asked for the usage chunk and the client did not: it is taken out of the stream. */
  readonly usageInjected: boolean;
  /** The client asked for the usage chunk itself. */
  readonly includeUsage: boolean;
  /** What the target cannot take and the route allows to drop. */
  readonly dropped: readonly string[];
}

/** @throws SluiceError `unsupported_operation`, `unsupported_field` or `invalid_request` when the target cannot take it */
export function encodeAttempt(call: ModelCall, endpoint: Endpoint): EncodedAttempt {
  const { exchange, operation } = call;
  const { target } = endpoint;
  const upstreamModel = upstreamModelFor(target.config.model, call.serving.model, call.serving.name);
  const path = target.dialect.target.path(operation, upstreamModel, call.answerKind === "stream");
  const sameDialect = target.dialect === exchange.dialect;
  if (path === null || (!sameDialect && operation !== "chat")) {
    throw unsupportedOperation(call);
  }
  const body =
    sameDialect && (target.filters.request === undefined || !hasChatForm(operation))
      ? encodeSameDialect(call, endpoint, upstreamModel)
      : encodeThroughForm(call, endpoint, upstreamModel);
  const headers = requestHeaders(call, endpoint, sameDialect);
  return {
    request: {
      method: "POST",
      path: endpoint.basePath + path,
      fixedHeaders: fixedHeadersFor(endpoint, headers),
      headers,
      body: body.bytes,
    },
    encoded: {
      sameDialect,
      usageInjected: body.usageInjected,
      includeUsage: body.includeUsage,
      dropped: body.dropped,
    },
  };
}

/** Only these requests have an internal form; the others pass between sides of one dialect. */
function hasChatForm(operation: Operation): boolean {
  return operation === "chat" || operation === "count_tokens";
}

function unsupportedOperation(call: ModelCall): SluiceError {
  const message = `The model ${JSON.stringify(call.asked)} cannot do this: its provider has no such operation.`;
  return new SluiceError("unsupported_operation", message, { param: "model" });
}

interface EncodedBody {
  readonly bytes: Buffer;
  readonly usageInjected: boolean;
  readonly includeUsage: boolean;
  readonly dropped: readonly string[];
}

function encodeSameDialect(call: ModelCall, endpoint: Endpoint, upstreamModel: string): EncodedBody {
  const { scan } = call;
  const { wireRequest } = endpoint.target.filters;
  const changes = new Map<string, string>();
  if (upstreamModel !== call.scan.get("model")) {
    changes.set("model", JSON.stringify(upstreamModel));
  }
  let includeUsage = false;
  let usageInjected = false;
  if (call.answerKind === "stream" && endpoint.target.dialect.name === "openai") {
    const options = scan.get("stream_options") ?? {};
    includeUsage = isObject(options) && options["include_usage"] === true;
    // what is no object is the client's mistake, which the provider will name
    usageInjected = isObject(options) && !includeUsage;
    if (usageInjected) {
      changes.set("stream_options", JSON.stringify({ ...(options as JsonObject), include_usage: true }));
    }
  }
  let bytes = changes.size === 0 ? scan.body : splice(scan.body, setMembers(scan.scan, changes));
  if (wireRequest !== undefined) {
    const value = parseJson(bytes.toString()) as JsonObject;
    wireRequest(value, call.operation);
    bytes = Buffer.from(JSON.stringify(value));
  }
  return { bytes, usageInjected, includeUsage, dropped: [] };
}

function encodeThroughForm(call: ModelCall, endpoint: Endpoint, upstreamModel: string): EncodedBody {
  const { exchange, scan } = call;
  const { filters, dialect } = endpoint.target;
  // filters may change the form in place, so every attempt decodes its own
  const form: ChatRequest = exchange.dialect.client.decodeChatRequest(scan.parse());
  const { includeUsage } = form;
  form.model = upstreamModel;
  form.includeUsage = form.stream;
  filters.request?.(form);
  const dropUnsupported = exchange.route?.config.dropUnsupported ?? false;
  const encoded =
    call.operation === "count_tokens"
      ? dialect.target.encodeTokenCountRequest?.(form, dropUnsupported)
      : dialect.target.encodeChatRequest(form, dropUnsupported);
  if (encoded === undefined) {
    throw unsupportedOperation(call);
  }
  filters.wireRequest?.(encoded.body, call.operation);
  return {
    bytes: Buffer.from(JSON.stringify(encoded.body)),
    usageInjected: form.stream && !includeUsage,
    includeUsage,
    dropped: encoded.dropped,
  };
}

/** The request's identity, and what belongs to the protocol that both sides speak. */
function requestHeaders(call: ModelCall, endpoint: Endpoint, sameDialect: boolean): string[] {
  const { headers: client, requestId } = call.exchange;
  const headers = ["x-request-id", requestId];
  pushIfGiven(headers, client, "traceparent");
  pushIfGiven(headers, client, "tracestate");
  if (call.answerKind === "stream") {
    headers.push("accept", "text/event-stream");
  }
  if (sameDialect) {
    for (const name of endpoint.target.dialect.target.forwardedHeaders) {
      pushIfGiven(headers, client, name);
    }
  }
  return headers;
}

function pushIfGiven(headers: string[], client: IncomingHttpHeaders, name: string): void {
  const value = client[name];
  if (typeof value === "string") {
    headers.push(name, value);
  }
}

/** The endpoint's own headers, without those that the client's take the place of (`anthropic-version`). */
function fixedHeadersFor(endpoint: Endpoint, headers: readonly string[]): readonly string[] {
  const isGiven = (name: string): boolean => headers.some((other, index) => index % 2 === 0 && other === name);
  const { headers: fixed } = endpoint;
  for (let index = 0; index < fixed.length; index += 2) {
    if (isGiven(fixed[index]!)) {
      return fixed.filter((_, place) => !isGiven(fixed[place - (place % 2)]!));
    }
  }
  return fixed;
}
