/** The canonical text of a policy: one text for one content, whatever the order in which its grants were written. */
import type { ConsumerConfig, GrantConfig, KeyConfig, LimitsConfig } from "../config/snapshot.ts";

const PREFIX = "policy:";

/** What a policy is made of. */
export interface PolicyContent {
  /** IANA name. */
  readonly timeZone: string;
  readonly consumerLimits: LimitsConfig | undefined;
  readonly consumerGrants: readonly GrantConfig[];
  readonly keyLimits: LimitsConfig | undefined;
  /** Undefined: the key may use what its consumer may. */
  readonly keyGrants: readonly GrantConfig[] | undefined;
}

/** The order is that of the text: do not change it without need, a new one only goes to the end. */
type LimitsCode = readonly [
  rpm: number | null,
  tpm: number | null,
  concurrency: number | null,
  monthlyTokens: number | null,
  monthlyNanoUsd: number | null,
  burstMs: number,
  mode: 0 | 1,
];

type GrantCode = string | readonly [model: string, limits: LimitsCode];

type PolicyCode = readonly [
  timeZone: string,
  consumerLimits: LimitsCode | 0,
  consumerGrants: readonly GrantCode[],
  keyLimits: LimitsCode | 0,
  keyGrants: readonly GrantCode[] | 0,
];

/**
 * The policies of a consumer's keys as texts, whose name-table ids stand for them in the directory. What keys have in
 * common is worded once: a consumer may have many.
 */
export function policyTexts(
  consumer: Omit<ConsumerConfig, "name" | "keys">,
): (key: Omit<KeyConfig, "name" | "hash">) => string {
  const shared = [consumer.timeZone, encodeLimits(consumer.limits), encodeGrants(consumer.grants)];
  const beginning = `${PREFIX}${JSON.stringify(shared).slice(0, -1)},`;
  const plain = `${beginning}0,0]`;
  return ({ limits, grants }) => {
    if (limits === undefined && grants === undefined) {
      return plain;
    }
    const own = [encodeLimits(limits), grants === undefined ? 0 : encodeGrants(grants)];
    return beginning + JSON.stringify(own).slice(1);
  };
}

/** What a text of `policyTexts` says; any other text allows nothing. */
export function decodePolicy(text: string): PolicyContent {
  if (!text.startsWith(PREFIX)) {
    return {
      timeZone: "UTC",
      consumerLimits: undefined,
      consumerGrants: [],
      keyLimits: undefined,
      keyGrants: undefined,
    };
  }
  const code = JSON.parse(text.slice(PREFIX.length)) as PolicyCode;
  const [timeZone, consumerLimits, consumerGrants, keyLimits, keyGrants] = code;
  return {
    timeZone,
    consumerLimits: decodeLimits(consumerLimits),
    consumerGrants: consumerGrants.map(decodeGrant),
    keyLimits: decodeLimits(keyLimits),
    keyGrants: keyGrants === 0 ? undefined : keyGrants.map(decodeGrant),
  };
}

function encodeGrants(grants: readonly GrantConfig[]): GrantCode[] {
  return grants
    .toSorted((left, right) => (left.model < right.model ? -1 : left.model > right.model ? 1 : 0))
    .map(({ model, limits }) => (limits === undefined ? model : [model, limitsCode(limits)]));
}

function decodeGrant(code: GrantCode): GrantConfig {
  return typeof code === "string" ? { model: code } : { model: code[0], limits: limitsOf(code[1]) };
}

function encodeLimits(limits: LimitsConfig | undefined): LimitsCode | 0 {
  return limits === undefined ? 0 : limitsCode(limits);
}

function decodeLimits(code: LimitsCode | 0): LimitsConfig | undefined {
  return code === 0 ? undefined : limitsOf(code);
}

function limitsCode(limits: LimitsConfig): LimitsCode {
  return [
    limits.rpm ?? null,
    limits.tpm ?? null,
    limits.concurrency ?? null,
    limits.monthlyTokens ?? null,
    limits.monthlyNanoUsd ?? null,
    limits.burstMs,
    limits.mode === "hard" ? 1 : 0,
  ];
}

function limitsOf(code: LimitsCode): LimitsConfig {
  const [rpm, tpm, concurrency, monthlyTokens, monthlyNanoUsd, burstMs, mode] = code;
  return {
    ...(rpm !== null && { rpm }),
    ...(tpm !== null && { tpm }),
    ...(concurrency !== null && { concurrency }),
    ...(monthlyTokens !== null && { monthlyTokens }),
    ...(monthlyNanoUsd !== null && { monthlyNanoUsd }),
    burstMs,
    mode: mode === 1 ? "hard" : "soft",
  };
}
