/**
 * Keeps a caller on one version of a template. The choice is a function of the template, the version, its weight and the
 * caller alone: every worker and machine makes the same, and remembers nothing.
 */
import { hash } from "node:crypto";
import type { Sticky } from "../config/sticky.ts";
import type { ExactJson, ExactObject } from "../lib/json.ts";
import type { Exchange } from "./exchange.ts";

/** One of several that share callers. */
export interface SharedItem {
  /** Tells it from the others, for good. */
  readonly template: string;
  readonly weight: number;
}

/** Numbers of this many bytes are exact. */
const HASH_BYTES = 6;

/** What the caller is known by; undefined if the request does not say. */
export function callerOf(sticky: Sticky, exchange: Exchange, input: ExactObject): string | undefined {
  const { caller, services, headers } = exchange;
  switch (sticky.by) {
    case "consumer":
      return caller && services.name(caller.consumerId);
    case "key":
      return caller && `${services.name(caller.consumerId)}\0${services.name(caller.keyId)}`;
    case "header":
      return String(headers[sticky.name] ?? "") || undefined;
    case "input":
      return textOf(sticky.path.reduce<ExactJson | undefined>(memberOf, input));
  }
}

/**
 * By rendezvous hashing with weights: an item has its share of all callers, and when weights change, callers move only
 * from items whose part of the whole shrinks to items whose part grows.
 */
export function pickByCaller<Item extends SharedItem>(items: readonly Item[], caller: string): Item {
  let best = items[0]!;
  let bestScore = -1;
  for (const item of items) {
    const bytes = hash("sha256", `${item.template}\0${caller}`, "buffer");
    // strictly between 0 and 1
    const uniform = (bytes.readUIntBE(0, HASH_BYTES) + 0.5) / 2 ** (8 * HASH_BYTES);
    const score = -item.weight / Math.log(uniform);
    if (score > bestScore) {
      best = item;
      bestScore = score;
    }
  }
  return best;
}

function memberOf(value: ExactJson | undefined, name: string): ExactJson | undefined {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as ExactObject)[name]
    : undefined;
}

function textOf(value: ExactJson | undefined): string | undefined {
  return value === undefined || value === null || typeof value === "object" ? undefined : String(value) || undefined;
}
