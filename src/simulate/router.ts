/** Which API a request is for, which fault it gets, and its answer. */
import type { JsonObject } from "../lib/json.ts";
import { anthropicErrors } from "./anthropic/errors.ts";
import { readMessagesRequest } from "./anthropic/read.ts";
import { messagesSurface } from "./anthropic/surface.ts";
import { deliverJson } from "./deliver.ts";
import { readFault } from "./directives.ts";
import { commitEarlyFault, sendError } from "./early-faults.ts";
import { callAt } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { faultNumber, type Fault, type FaultRules } from "./faults.ts";
import { checkTask, generate, type Machine } from "./generate.ts";
import { headerText } from "./headers.ts";
import { encodeAnthropicModel, encodeAnthropicModels, encodeOpenaiModel, encodeOpenaiModels } from "./models.ts";
import { answerEmbeddings } from "./openai/embeddings.ts";
import { openaiErrors } from "./openai/errors.ts";
import { chatSurface, completionsSurface } from "./openai/surfaces.ts";
import { asString } from "./read.ts";
import { promptTokens } from "./reply.ts";
import type { ErrorWording, Surface } from "./surface.ts";
import type { Task } from "./task.ts";
import { VendorError } from "./vendor-error.ts";

const DEFAULT_MODELS = ["simulated"];
const DEFAULT_SLOW_MS = 1000;
const MODEL_PATH = "/v1/models/";

const SURFACES: Readonly<Record<string, Surface>> = {
  "/v1/chat/completions": chatSurface,
  "/v1/completions": completionsSurface,
  "/v1/messages": messagesSurface,
};

export class Router {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** @param readBody throws VendorError if the body is no JSON object */
  answer(exchange: Exchange, readBody: () => JsonObject, rules: FaultRules): void {
    const wording = this.#wordingOf(exchange);
    const headers = wording.answerHeaders(exchange.requestId);
    try {
      this.#checkPath(exchange);
      this.#checkKey(exchange);
      const body = exchange.request.method === "GET" ? {} : readBody();
      exchange.model = (asString(body["model"]) ?? "").split("?")[0] ?? "";
      const task = this.#readTask(exchange, body);
      exchange.fault = this.#chooseFault(exchange, task, rules);
      this.#commit(exchange, body, task, wording);
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      sendError(exchange, error.status, wording, headers, error);
    }
  }

  /** The dialect of a path; for the paths that both have, Anthropic's clients name their version. */
  #wordingOf(exchange: Exchange): ErrorWording {
    const { dialect } = this.#machine.options;
    if (dialect !== "both") return dialect === "anthropic" ? anthropicErrors : openaiErrors;
    if (exchange.path.startsWith("/v1/messages")) return anthropicErrors;
    const isShared = exchange.path.startsWith("/v1/models");
    return isShared && exchange.request.headers["anthropic-version"] !== undefined ? anthropicErrors : openaiErrors;
  }

  #checkPath(exchange: Exchange): void {
    const { dialect } = this.#machine.options;
    const { path } = exchange;
    const anthropic = path === "/v1/messages" || path === "/v1/messages/count_tokens";
    const openai = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"].includes(path);
    const models = path === "/v1/models" || path.startsWith(MODEL_PATH);
    const known = models || (anthropic && dialect !== "openai") || (openai && dialect !== "anthropic");
    if (!known)
      throw new VendorError(404, `Not found: ${path}`, {
        type: dialect === "anthropic" ? "not_found_error" : "invalid_request_error",
      });
    if (exchange.request.method !== (models ? "GET" : "POST")) throw new VendorError(405, "Method Not Allowed");
  }

  #checkKey(exchange: Exchange): void {
    const { apiKeys } = this.#machine.options;
    this.#machine.stats.countKey(exchange.apiKey);
    if (apiKeys === undefined || apiKeys.includes(exchange.apiKey)) return;
    throw new VendorError(401, exchange.apiKey === "" ? "No API key was sent." : "Incorrect API key provided.");
  }

  #checkModel(model: string): void {
    const { models } = this.#machine.options;
    if (models === undefined || models.includes(model)) return;
    throw new VendorError(404, `The model '${model}' does not exist or you do not have access to it.`);
  }

  #readTask(exchange: Exchange, body: JsonObject): Task | undefined {
    const surface = SURFACES[exchange.path];
    if (surface !== undefined) return surface.readTask(body, exchange.request.headers, this.#machine.options);
    if (exchange.path !== "/v1/messages/count_tokens") return undefined;
    return readMessagesRequest(body, exchange.request.headers, "count");
  }

  /** A fault asked for by the request itself comes before those set from outside. */
  #chooseFault(exchange: Exchange, task: Task | undefined, rules: FaultRules): Fault | undefined {
    const header = headerText(exchange.request.headers["x-simulate-fault"]);
    const subject = { key: exchange.apiKey, model: exchange.model, path: exchange.path };
    const fault = header === undefined ? (task?.directives.fault ?? rules.take(subject)) : readFault(header);
    if (fault !== undefined) this.#machine.stats.countFault(fault.name);
    return fault;
  }

  #commit(exchange: Exchange, body: JsonObject, task: Task | undefined, wording: ErrorWording): void {
    const { fault } = exchange;
    if (fault?.name === "slow-head") {
      exchange.phase = "waiting";
      const cancel = callAt(performance.now() + faultNumber(fault, DEFAULT_SLOW_MS), () => {
        this.#complete(exchange, body, task, wording);
      });
      exchange.onGone(cancel);
      return;
    }
    this.#complete(exchange, body, task, wording);
  }

  #complete(exchange: Exchange, body: JsonObject, task: Task | undefined, wording: ErrorWording): void {
    const headers = wording.answerHeaders(exchange.requestId);
    if (commitEarlyFault(exchange, wording, headers)) return;
    try {
      const surface = SURFACES[exchange.path];
      if (!exchange.path.startsWith("/v1/models")) this.#checkModel(exchange.model);
      if (surface === undefined || task === undefined) {
        deliverJson(exchange, 200, headers, this.#answerSimply(exchange, body, task, wording));
        return;
      }
      checkTask(task, surface, this.#machine);
      generate(exchange, surface, task, this.#machine);
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      sendError(exchange, error.status, wording, headers, error);
    }
  }

  /** Answers that need no engine. */
  #answerSimply(exchange: Exchange, body: JsonObject, task: Task | undefined, wording: ErrorWording): JsonObject {
    const models = this.#machine.options.models ?? DEFAULT_MODELS;
    const anthropic = wording === anthropicErrors;
    if (task !== undefined) return { input_tokens: promptTokens(task) };
    if (exchange.path === "/v1/embeddings") return answerEmbeddings(body, this.#machine.options.embeddingDimensions);
    if (exchange.path === "/v1/models") return anthropic ? encodeAnthropicModels(models) : encodeOpenaiModels(models);
    const id = decodeURIComponent(exchange.path.slice(MODEL_PATH.length));
    this.#checkModel(id);
    return anthropic ? encodeAnthropicModel(id) : encodeOpenaiModel(id);
  }
}
