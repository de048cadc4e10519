/** The usage entry of one request while it grows: what the engine knows, written into the request's slot. */
import type { DialectName, Usage } from "../dialects/form.ts";
import type { Operation } from "../dialects/contract.ts";
import type { Outcome } from "../ledger/entry.ts";
import { FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import { costNanoUsd } from "../ledger/prices/cost.ts";
import type { Price } from "../ledger/prices/price.ts";
import type { UsageWriter } from "../ledger/usage-writer.ts";
import type { ServingModel } from "./endpoint-choice.ts";
import type { CompiledDomain, CompiledRoute, Endpoint } from "./engine.ts";
import { upstreamModelFor } from "./models.ts";
import type { WordIds } from "./services.ts";
import { priceOf } from "./target-price.ts";

/** Milliseconds from the start of the request; 0 for what did not happen. */
export interface Timings {
  readonly dispatchMs: number;
  readonly firstTokenMs: number;
  readonly totalMs: number;
}

const NOTHING: Usage = {
  promptTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
};

/** More than any model reads or writes at once; what is said beyond is a mistake, and sums must stay exact. */
const MOST_TOKENS = 1_000_000_000;

/** Vendors' counts as whole numbers that can be summed up, whatever they say. */
function countable(usage: Usage): Usage {
  const { promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens } = usage;
  return {
    ...usage,
    promptTokens: whole(promptTokens),
    cachedTokens: whole(cachedTokens),
    cacheWriteTokens: whole(cacheWriteTokens),
    completionTokens: whole(completionTokens),
    reasoningTokens: whole(reasoningTokens),
  };
}

function whole(count: number): number {
  return count > 0 ? Math.min(MOST_TOKENS, Math.ceil(count)) : 0;
}

function sumOf(one: Usage, other: Usage): Usage {
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
    cacheWriteTokens: one.cacheWriteTokens + other.cacheWriteTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    reasoningTokens: one.reasoningTokens + other.reasoningTokens,
  };
}

export class UsageSlot {
  readonly #table: UsageWriter;
  readonly #ids: WordIds;
  readonly #slot: number;
  /** The tokens as they were last recorded. */
  #usage: Usage = NOTHING;
  #nanoUsd: number | undefined;
  /** What answers before this one used and cost. */
  #before: Usage = NOTHING;
  #nanoUsdBefore = 0;
  #operation: Operation | undefined;
  /** What tokens cost at the target that is tried now; undefined if nobody knows. */
  #price: Price | undefined;

  /** What the upstream model is called where the configuration has a `*` for it; "" where it has none. */
  upstreamName = "";

  /** When the request began, milliseconds since the epoch: what it costs does not depend on when it ends. */
  readonly startedAt: number;

  /** @param slot from `UsageWriter.open`, as is `startedAt` */
  constructor(table: UsageWriter, ids: WordIds, slot: number, startedAt: number) {
    this.startedAt = startedAt;
    this.#table = table;
    this.#ids = ids;
    this.#slot = slot;
  }

  /** The number of the slot that the request has, for as long as it is open. */
  get slot(): number {
    return this.#table.slotOf(this.#slot);
  }

  /** The tokens as they were last recorded. */
  get usage(): Usage {
    return this.#usage;
  }

  /** What these tokens cost, in billionths of a dollar; undefined if nobody knows, or nothing was used. */
  get nanoUsd(): number | undefined {
    return this.#nanoUsd;
  }

  route(
    domain: CompiledDomain | undefined,
    route: CompiledRoute | undefined,
    dialect: DialectName,
    operation: Operation | undefined,
  ): void {
    this.#operation = operation;
    this.#setInteger(INTEGER_FIELD.gateway, this.#ids.gateway);
    this.#setInteger(INTEGER_FIELD.domain, domain?.nameId ?? 0);
    this.#setInteger(INTEGER_FIELD.route, route?.nameId ?? 0);
    this.#setInteger(INTEGER_FIELD.clientDialect, this.#ids.dialects[dialect]);
    this.#setInteger(INTEGER_FIELD.operation, operation === undefined ? 0 : this.#ids.operations[operation]);
  }

  caller(consumerId: number, keyId: number): void {
    this.#setInteger(INTEGER_FIELD.consumer, consumerId);
    this.#setInteger(INTEGER_FIELD.key, keyId);
  }

  /** The version of a prompt template that answers. */
  template(nameId: number): void {
    this.#setInteger(INTEGER_FIELD.template, nameId);
  }

  received(bytes: number): void {
    this.#setNumber(NUMBER_FIELD.bytesIn, bytes);
  }

  model(nameId: number, answerKind: "stream" | "whole"): void {
    this.#setInteger(INTEGER_FIELD.model, nameId);
    if (answerKind === "stream") {
      this.#table.setFlag(this.#slot, FLAG.stream);
    }
  }

  attempt({ target, credentialId, nodeId }: Endpoint, hits: number, serving: ServingModel): void {
    this.upstreamName =
      target.findPrice === undefined ? "" : upstreamModelFor(target.config.model, serving.model, serving.name);
    this.#table.setUpstreamName(this.#slot, this.upstreamName);
    // no vendor takes money for counting
    this.#price = this.#operation === "count_tokens" ? undefined : priceOf(target, serving);
    this.#setInteger(INTEGER_FIELD.attempts, hits);
    this.#setInteger(INTEGER_FIELD.servedModel, serving.model.nameId);
    this.#setInteger(INTEGER_FIELD.provider, target.providerId);
    this.#setInteger(INTEGER_FIELD.upstreamModel, target.upstreamModelId);
    this.#setInteger(INTEGER_FIELD.credential, credentialId);
    this.#setInteger(INTEGER_FIELD.node, nodeId);
    this.#setInteger(INTEGER_FIELD.targetDialect, this.#ids.dialects[target.dialect.name]);
  }

  /** The call goes on after an answer: what is recorded from now on is added to what has been. */
  keepTokens(): void {
    this.#before = this.#usage;
    this.#nanoUsdBefore = this.#nanoUsd ?? 0;
  }

  /** @param source `estimated`: the upstream did not report them, or not to the end */
  tokens(usage: Usage, source: "reported" | "estimated"): void {
    this.tokensSoFar(usage);
    if (source === "estimated") {
      this.#table.setFlag(this.#slot, FLAG.tokensEstimated);
    }
  }

  /** Records the tokens of a stream that goes on, and what they cost: what is known of it should its worker die. */
  tokensSoFar(reported: Usage): void {
    const latest = countable(reported);
    const usage = this.#before === NOTHING ? latest : sumOf(this.#before, latest);
    this.#usage = usage;
    this.#setNumber(NUMBER_FIELD.promptTokens, usage.promptTokens);
    this.#setNumber(NUMBER_FIELD.cachedTokens, usage.cachedTokens);
    this.#setNumber(NUMBER_FIELD.cacheWriteTokens, usage.cacheWriteTokens);
    this.#setNumber(NUMBER_FIELD.completionTokens, usage.completionTokens);
    this.#setNumber(NUMBER_FIELD.reasoningTokens, usage.reasoningTokens);
    this.#nanoUsd = this.#price && this.#nanoUsdBefore + costNanoUsd(this.#price, latest, this.startedAt);
    this.#setNumber(NUMBER_FIELD.costNanoUsd, this.#nanoUsd ?? 0);
  }

  /** Ends the entry; nothing may be set after. @param errorCode "" if there was no error */
  close(outcome: Outcome, status: number, errorCode: string, bytesOut: number, timings: Timings): void {
    this.#setNumber(NUMBER_FIELD.bytesOut, bytesOut);
    this.#setNumber(NUMBER_FIELD.dispatchMs, timings.dispatchMs);
    this.#setNumber(NUMBER_FIELD.firstTokenMs, timings.firstTokenMs);
    this.#setInteger(INTEGER_FIELD.error, this.#ids.errors.get(errorCode) ?? 0);
    this.#table.close(this.#slot, outcome, status, timings.totalMs);
  }

  #setInteger(field: Parameters<UsageWriter["setInteger"]>[1], value: number): void {
    this.#table.setInteger(this.#slot, field, value);
  }

  #setNumber(field: Parameters<UsageWriter["setNumber"]>[1], value: number): void {
    this.#table.setNumber(this.#slot, field, value);
  }
}
