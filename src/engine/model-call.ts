/**
 * One call of a user model: how often endpoints are tried, what is learned of them, and what the client gets when none
 * could serve. `attempts` bounds the whole, whatever layers are involved, and the total clock bounds the time.
 */
import type { Operation, UpstreamError } from "../dialects/contract.ts";
import type { Usage } from "../dialects/form.ts";
import { SluiceError, isSluiceError } from "../lib/errors.ts";
import { readBody, type BodyScan } from "../lib/json-body.ts";
import { estimatePrompt, NO_PROMPT, PROMPT_MEMBERS, type PromptEstimate } from "../lib/token-estimate.ts";
import type { Deadlines } from "../lib/timer.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import { CallQuota } from "./call-quota.ts";
import { Demand, OUTPUT_MEMBERS } from "./demand.ts";
import type { CompiledModel, Endpoint } from "./engine.ts";
import { EndpointChoice, servingModels, type Choice, type ServingModel } from "./endpoint-choice.ts";
import type { Abortable, Exchange } from "./exchange.ts";
import { grantedModel } from "./granted-model.ts";
import { countsNowhere } from "./models.ts";
import { learnBreak, learnFailure } from "./node-health.ts";
import { correctedTokens } from "./prompt-tokens.ts";
import { usageSoFar } from "./record-usage.ts";

/** Top-level members that the way of a request needs; everything else stays bytes. */
const WANTED = ["model", "stream", "stream_options", ...OUTPUT_MEMBERS, ...PROMPT_MEMBERS];
/** The longest that a request waits for a resting endpoint before the client is told to come back itself. */
const LONGEST_WAIT_MS = 2_000;
const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 1_000;
/** Later a client may ask again and see for itself. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** The clocks of a request. */
export type Clock = "connect" | "firstToken" | "idle" | "total";

/** Reads the body, finds the model, and begins. @throws SluiceError for the caller's mistakes */
export function callModel(exchange: Exchange, operation: Operation, body: Buffer): void {
  const scan = readBody(body, WANTED);
  const asked = scan.get("model");
  if (typeof asked !== "string" || asked === "") {
    const what = asked === undefined ? "is missing" : "must be a non-empty string";
    throw new SluiceError("invalid_request", `\`model\` ${what}. GET /v1/models lists what your key may use.`, {
      param: "model",
    });
  }
  const stream = scan.get("stream");
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    throw new SluiceError("invalid_request", "`stream` must be true or false.", { param: "stream" });
  }
  const model = grantedModel(exchange, asked);
  const streaming = stream === true && (operation === "chat" || operation === "completions");
  exchange.entry.model(model.nameId, streaming ? "stream" : "whole");
  if (operation === "count_tokens" && countsNowhere(model)) {
    const tokens = correctedTokens(
      exchange.services.quotas.correction,
      model,
      estimatePrompt(scan.body, scan.scan.members),
    );
    exchange.sendJson(200, exchange.dialect.client.encodeTokenCount(tokens));
    return;
  }
  new ModelCall(exchange, operation, scan, asked, model, streaming ? "stream" : "whole").start();
}

/** What an attempt needs to know of the call it belongs to. */
export class ModelCall implements Abortable {
  readonly exchange: Exchange;
  readonly operation: Operation;
  readonly answerKind: "stream" | "whole";
  readonly deadlines: Deadlines<Clock>;
  /** The name of the user model as the client said it. */
  readonly asked: string;
  /** What is tried now. */
  serving: ServingModel;
  #scan: BodyScan | undefined;
  /** Uncorrected; undefined until somebody asks. */
  #estimate: PromptEstimate | undefined;
  readonly #first: CompiledModel;
  /** Undefined if nothing limits the call. */
  readonly #quota: CallQuota | undefined;
  readonly #choice: EndpointChoice;
  #attempt: Attempt | undefined;
  #failure: AttemptFailure | undefined;
  /** Why a target cannot take the request. */
  #refusal: SluiceError | undefined;
  #backoff: NodeJS.Timeout | undefined;
  #round = 0;
  /** How long it has waited for endpoints to become free. */
  #waitedMs = 0;
  #askedAgain = 0;
  /** False once the total time is up. */
  #mayRetry = true;

  constructor(
    exchange: Exchange,
    operation: Operation,
    scan: BodyScan,
    asked: string,
    model: CompiledModel,
    answerKind: "stream" | "whole",
  ) {
    this.exchange = exchange;
    this.operation = operation;
    this.#scan = scan;
    this.asked = asked;
    this.serving = { model, name: asked };
    this.answerKind = answerKind;
    this.#first = model;
    const models = servingModels(exchange, model, asked);
    this.#quota = this.#createQuota(models);
    const quota = this.#quota;
    this.#choice = new EndpointChoice(
      models,
      exchange.services.cooldowns,
      quota && ((endpoint, serving) => quota.roomWaitMs(endpoint, serving)),
    );
    this.deadlines = exchange.services.deadlines.start((clock: Clock) => {
      this.#expired(clock);
    });
  }

  /** The client's body; not after `releaseBody`. */
  get scan(): BodyScan {
    if (this.#scan === undefined) {
      throw new Error("the body was released: there is no attempt after the first content");
    }
    return this.#scan;
  }

  /** Estimated tokens of the prompt as the serving model counts, for when the upstream does not say. */
  get promptTokens(): number {
    const { correction } = this.exchange.services.quotas;
    return correctedTokens(correction, this.serving.model, this.#estimateOnce());
  }

  /**
   * The upstream has counted the prompt. Where nothing was estimated there is nothing to compare with, and where images or
   * files were counted it says little about text.
   */
  learnPromptTokens(reported: number): void {
    const { endpoint, services } = this.exchange;
    const estimate = this.#estimate;
    if (estimate?.mediaTokens === 0 && (this.operation === "chat" || this.operation === "completions")) {
      services.quotas.correction.learn(endpoint!.target.upstreamModelId, estimate.tokens, reported);
    }
  }

  #estimateOnce(): PromptEstimate {
    this.#estimate ??= estimatePrompt(this.scan.body, this.scan.scan.members);
    return this.#estimate;
  }

  /** A stream has begun, so there will be no further attempt: thousands of open streams should not keep their bodies. */
  releaseBody(): void {
    this.#estimateOnce();
    this.#scan = undefined;
    this.exchange.releaseBody?.();
  }

  start(): void {
    this.exchange.setRunning(this);
    if (this.answerKind === "stream") {
      this.exchange.expectStream();
    }
    const routeTimeoutMs = this.exchange.route?.config.timeoutMs;
    const timeouts = this.#first.priorities[0]?.endpoints[0]?.target.timeouts;
    this.deadlines.arm("total", routeTimeoutMs ?? timeouts?.totalMs ?? 600_000);
    if (this.#quota === undefined) {
      this.#next();
      return;
    }
    this.#quota.admit((error) => {
      if (this.exchange.ended) {
        return;
      }
      if (error === undefined) {
        this.#next();
      } else {
        this.finished();
        this.exchange.sendError(error);
      }
    });
  }

  #createQuota(models: readonly ServingModel[]): CallQuota | undefined {
    const { exchange } = this;
    const { caller, services } = exchange;
    const now = Date.now();
    const isLimited = models.some(
      ({ model, name }) =>
        services.quotas.plans.mayLimitEndpointsOf(model) ||
        (caller !== undefined && services.quotas.plans.find(caller, model, name, now) !== undefined),
    );
    if (!isLimited) {
      return undefined;
    }
    const prompt = this.operation === "count_tokens" ? NO_PROMPT : this.#estimateOnce();
    const quota = new CallQuota(exchange, new Demand(this.operation, this.scan, prompt), this.serving);
    exchange.quota = quota;
    return quota;
  }

  /** The client left. */
  abort(): void {
    this.deadlines.end();
    clearTimeout(this.#backoff);
    this.#attempt?.abort();
  }

  /** The attempt has given the client its answer, or at least begun to. */
  answered(endpoint: Endpoint): void {
    this.exchange.services.cooldowns.answered(endpoint.nodeId);
  }

  /** The attempt has given the client the whole of its answer. */
  completed(endpoint: Endpoint): void {
    this.exchange.services.cooldowns.completed(endpoint.nodeId);
    this.finished();
  }

  /** The answer began and cannot go on. */
  brokeOff(endpoint: Endpoint, error: SluiceError | UpstreamError): void {
    learnBreak(this.exchange.services.cooldowns, this.serving.model, endpoint, error);
    this.finished();
  }

  /** The answer is complete. */
  finished(): void {
    this.deadlines.end();
    this.exchange.setRunning(undefined);
  }

  /** A stream goes on. @param usage as far as the upstream has reported it @param contentEvents about one token each */
  progressed(usage: Usage | undefined, contentEvents: number): void {
    this.#quota?.progressed(usageSoFar(this, usage, contentEvents));
  }

  /**
   * The answer came and is of no use: the same endpoint is asked once more, for all that the call has used to be settled
   * where it was reserved. What it has used stays used.
   * @param bodyOf makes the body that says what was wrong @returns false where it may not be asked
   */
  askAgain(endpoint: Endpoint, most: number, bodyOf: (body: Buffer) => Buffer): boolean {
    const isOver = !this.#mayRetry || this.exchange.hits >= this.#first.maxHits || this.#askedAgain >= most;
    if (isOver || this.#quota?.mayAskAgain(endpoint) === false) {
      return false;
    }
    this.#askedAgain += 1;
    this.exchange.entry.keepTokens();
    this.#scan = readBody(bodyOf(this.scan.body), WANTED);
    this.#estimate = undefined;
    this.#attempt = new Attempt(this, endpoint);
    this.#attempt.start();
    return true;
  }

  /** The attempt failed and the client has seen nothing of it. */
  failed(endpoint: Endpoint, failure: AttemptFailure): void {
    this.#attempt = undefined;
    this.#quota?.releaseAttempt();
    this.#failure = failure;
    learnFailure(this.exchange.services.cooldowns, this.serving.model, endpoint, failure);
    if (failure.retryable === "elsewhere") {
      this.#choice.exclude(endpoint);
    }
    if (this.#mayRetry && this.#isRetryable(failure) && this.exchange.hits < this.#first.maxHits) {
      this.#next();
    } else {
      this.#giveUp();
    }
  }

  #isRetryable({ retryable }: AttemptFailure): boolean {
    return retryable === "elsewhere" || (retryable !== "never" && this.#first.retryOn.has(retryable));
  }

  #next(): void {
    const choice = this.#choice.next();
    if (choice === undefined) {
      this.#waitOrGiveUp();
    } else if (choice.again) {
      this.#backoff = setTimeout(() => {
        this.#try(choice);
      }, this.#backoffMs());
    } else {
      this.#try(choice);
    }
  }

  #try(choice: Choice): void {
    const refusal = this.#quota?.serveBy(choice) ?? this.#quota?.admitAttempt(choice.endpoint);
    if (refusal !== undefined) {
      // another request was quicker
      this.#refusal = refusal;
      this.#choice.exclude(choice.endpoint);
      this.#next();
      return;
    }
    this.serving = choice;
    this.#attempt = new Attempt(this, choice.endpoint);
    try {
      this.#attempt.start();
    } catch (error) {
      this.#attempt = undefined;
      if (isSluiceError(error)) {
        // the request cannot be said in this target's dialect, at none of its nodes; another target may take it
        this.#quota?.releaseAttempt();
        this.#refusal = error;
        this.#choice.exclude(choice.endpoint.target);
        this.#next();
      } else {
        this.finished();
        this.exchange.fail(error);
      }
    }
  }

  /** Everything rests. If the first to wake does so soon, wait for it; else say when to come back. */
  #waitOrGiveUp(): void {
    const waitMs = this.#choice.earliestWakeMs();
    this.#waitedMs += waitMs;
    if (this.#waitedMs <= LONGEST_WAIT_MS) {
      this.#backoff = setTimeout(() => {
        this.#next();
      }, waitMs);
    } else {
      this.#giveUp();
    }
  }

  #backoffMs(): number {
    this.#round += 1;
    const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#round);
    return longest / 2 + Math.random() * (longest / 2);
  }

  #giveUp(): void {
    this.finished();
    if (this.#failure !== undefined) {
      this.#failure.answer(this.exchange);
      return;
    }
    this.exchange.sendError(this.#refusal ?? this.#noneFree());
  }

  #noneFree(): SluiceError {
    const wakeMs = this.#choice.earliestWakeMs();
    const retryAfterMs = Math.min(wakeMs, LONGEST_RETRY_AFTER_MS);
    if (this.#quota === undefined || !this.#choice.someLackRoom) {
      const message = "No target of this model can serve right now: all of them rest after failures or rate limits.";
      return new SluiceError("no_target_available", message, { retryAfterMs });
    }
    if (wakeMs === Infinity) {
      const message =
        "The request is larger than the limits of this model's providers ever allow. Send less, or ask for less with max_tokens.";
      return new SluiceError("rate_limit_exceeded", message, { retry: "never" });
    }
    const message = `This model's providers are at their limits. Try again in ${(retryAfterMs / 1_000).toFixed(1)} s.`;
    return new SluiceError("rate_limit_exceeded", message, { retryAfterMs });
  }

  #expired(clock: Clock): void {
    if (clock === "total") {
      this.#timeIsUp();
    } else {
      this.#attempt?.expired(clock);
    }
  }

  #timeIsUp(): void {
    const attempt = this.#attempt;
    clearTimeout(this.#backoff);
    this.#mayRetry = false;
    const error = new SluiceError("total_timeout", "The request took longer than its total timeout; it was ended.");
    if (attempt?.endBy(error) !== true) {
      this.finished();
      attempt?.abort();
      this.exchange.sendError(error);
    }
  }
}
