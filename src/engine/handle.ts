/** The way of a request up to the point where a model is called: match, request filters, authentication, body. */
import { DIALECTS } from "../dialects/builtin.ts";
import type { Dialect, ModelInfo, Operation } from "../dialects/contract.ts";
import { SluiceError } from "../lib/errors.ts";
import { authenticate } from "./authenticate.ts";
import { retryAfter } from "./answer-head.ts";
import { applyChatFilters } from "./chat-filters.ts";
import type { ClientAnswer, ClientRequest } from "./client-messages.ts";
import type { CompiledRoute } from "./engine.ts";
import { Exchange } from "./exchange.ts";
import { grantedModel } from "./granted-model.ts";
import type { EngineLease } from "./lease.ts";
import type { PathMatch } from "./match.ts";
import { callModel } from "./model-call.ts";
import { mayUse, modelInfo } from "./models.ts";
import { renderNamed } from "./named-prompts.ts";
import type { OperationMatch } from "./operations.ts";
import { renderPrompt } from "./prompt-route.ts";
import { stillArrives } from "./request-body.ts";
import { requestIdOf } from "./request-id.ts";
import type { Services } from "./services.ts";
import { UsageSlot } from "./usage-slot.ts";

const OVERLOAD_RETRY_MS = 1_000;

/** Handles one request with the engine of this moment. Returns undefined when there was no room for it. */
export function handleRequest(
  request: ClientRequest,
  answer: ClientAnswer,
  lease: EngineLease,
  services: Services,
): Exchange | undefined {
  const requestId = requestIdOf(request.headers);
  const dialect = request.headers["anthropic-version"] === undefined ? DIALECTS.openai : DIALECTS.anthropic;
  const startedAt = Date.now();
  const slot = services.usage.open(requestId, startedAt);
  if (slot < 0) {
    refuseOverload(request, answer, requestId, dialect);
    return undefined;
  }
  const entry = new UsageSlot(services.usage, services.ids, slot, startedAt);
  const exchange = new Exchange(request, answer, requestId, entry, lease, services, dialect);
  try {
    route(exchange);
  } catch (error) {
    exchange.fail(error);
  }
  return exchange;
}

/** Such a request has no exchange and no entry: there is no room for either. */
function refuseOverload(request: ClientRequest, answer: ClientAnswer, requestId: string, dialect: Dialect): void {
  const message = "The gateway has too many requests in flight. Try again in a moment.";
  const { status, body } = dialect.client.encodeError(new SluiceError("overloaded", message), requestId);
  const text = JSON.stringify(body);
  const head = ["content-type", "application/json", "x-request-id", requestId, ...retryAfter(OVERLOAD_RETRY_MS)];
  if (dialect.name === "anthropic") {
    head.push("request-id", requestId);
  }
  if (!("stream" in answer)) {
    head.push("connection", "close");
  }
  answer.writeHead(status, [...head, "content-length", String(Buffer.byteLength(text))]);
  if (stillArrives(request)) {
    answer.write(text);
    answer.endEarly();
  } else {
    answer.end(text);
  }
}

function route(exchange: Exchange): void {
  const { engine, services, headers } = exchange;
  const domain = engine.domains.find(exchange.host);
  const found = domain?.routes.find(exchange.path);
  exchange.domain = domain;
  if (domain === undefined || found === undefined) {
    recordRoute(exchange);
    throw notFound(exchange);
  }
  exchange.route = found.value;
  exchange.path = found.path;
  const match = findOperation(exchange, found);
  if (match !== undefined && "operation" in match) {
    exchange.dialect = match.dialect;
    exchange.operation = match.operation;
  }
  recordRoute(exchange);
  for (const hook of found.value.beforeAuthentication) {
    const answer = hook(exchange);
    if (answer !== undefined) {
      exchange.send(answer.status, answer.headers, answer.body);
      return;
    }
  }
  exchange.caller = authenticate(headers, domain, services);
  exchange.entry.caller(exchange.caller.consumerId, exchange.caller.keyId);
  if (match === undefined) {
    throw notFound(exchange);
  }
  if (!("operation" in match)) {
    const allowed = match.join(", ");
    const error = new SluiceError("method_not_allowed", `${exchange.method} is not possible here; use ${allowed}.`);
    exchange.sendError(error, ["allow", allowed]);
    return;
  }
  perform(exchange, match, found.value);
}

function recordRoute(exchange: Exchange): void {
  exchange.entry.route(exchange.domain, exchange.route, exchange.dialect.name, exchange.operation);
}

function findOperation(
  exchange: Exchange,
  found: PathMatch<CompiledRoute>,
): OperationMatch | readonly string[] | undefined {
  const { operations, operationPath, prompt } = found.value;
  if (prompt !== undefined) {
    return exchange.method === "POST" ? { operation: "chat", dialect: DIALECTS.openai, argument: "" } : ["POST"];
  }
  const rest = found.rest === "" ? operationPath : found.rest;
  if (rest === undefined) {
    return undefined;
  }
  return operations.find(rest, exchange.method, exchange.headers["anthropic-version"] !== undefined);
}

function notFound(exchange: Exchange): SluiceError {
  if (exchange.host === "") {
    return new SluiceError("invalid_request", "The request has no Host header; HTTP/1.1 requires one.");
  }
  return new SluiceError(
    "route_not_found",
    `There is no route for ${exchange.method} on this path. Check the base URL.`,
  );
}

function perform(exchange: Exchange, match: OperationMatch, compiledRoute: CompiledRoute): void {
  switch (match.operation) {
    case "models.list":
      exchange.sendJson(200, match.dialect.client.encodeModelList(grantedModels(exchange)));
      return;
    case "models.get":
      sendModel(exchange, match);
      return;
    case "chat":
    case "completions":
    case "embeddings":
    case "count_tokens":
      requireJson(exchange);
      exchange.readBody(compiledRoute.maxBodyBytes, (body) => {
        const asked = withPrompt(exchange, match.operation, compiledRoute, body);
        callModel(exchange, match.operation, applyChatFilters(exchange, match.operation, asked));
      });
  }
}

/** The request that a prompt makes of the body; the same bytes where none is asked for. */
function withPrompt(
  exchange: Exchange,
  operation: Operation,
  { prompt, namedPrompts }: CompiledRoute,
  body: Buffer,
): Buffer {
  if (prompt !== undefined) {
    return renderPrompt(exchange, prompt, body);
  }
  return namedPrompts === undefined ? body : renderNamed(exchange, namedPrompts, operation, body);
}

function requireJson(exchange: Exchange): void {
  const type = exchange.headers["content-type"];
  if (type !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new SluiceError("unsupported_media_type", "Send the body as JSON, with `content-type: application/json`.");
  }
  const encoding = exchange.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new SluiceError("unsupported_media_type", "Send the body without content-encoding.");
  }
}

function grantedModels(exchange: Exchange): ModelInfo[] {
  const { engine, caller } = exchange;
  return engine.models.listed
    .filter(({ model, name }) => mayUse(caller?.policy, model, name))
    .map(({ model, name }) => modelInfo(model, name, caller?.policy));
}

function sendModel(exchange: Exchange, { argument, dialect }: OperationMatch): void {
  const model = grantedModel(exchange, argument);
  exchange.sendJson(200, dialect.client.encodeModel(modelInfo(model, argument, exchange.caller?.policy)));
}
