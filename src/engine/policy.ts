/**
 * Policies: what a caller may use and how much of it. A policy is what a consumer and one of its keys are allowed
 * together. It is addressed by its content, which names neither of them: thousands of keys share one, and it means the
 * same in every engine and outlives them all.
 */
import type { GrantConfig, LimitsConfig } from "../config/snapshot.ts";
import { decodePolicy } from "./policy-text.ts";
import type { PolicyContent } from "./policy-text.ts";

/** Policies that a worker keeps compiled; beyond it, the one that was compiled first is compiled anew when it is used. */
const MAX_POLICIES = 200_000;

/** A grant, and the limits of all that it covers together. */
export interface Grant {
  /** A model's name, a beginning and `*`, or `*`. */
  readonly pattern: string;
  /** The pattern's name-table id, for what is counted. */
  readonly patternId: number;
  readonly limits: LimitsConfig | undefined;
}

/** The grant of either side that covers one model. */
export interface ApplicableGrants {
  readonly consumer: Grant | undefined;
  /** Undefined also if the key has no grants of its own. */
  readonly key: Grant | undefined;
}

/** One list of grants, looked up by model. */
class GrantList {
  readonly isLimited: boolean;
  readonly #exact = new Map<string, Grant>();
  /** By what stands before the `*`. */
  readonly #beginnings = new Map<string, Grant>();
  /** Lengths of the beginnings, longest first. */
  readonly #lengths: readonly number[];

  constructor(grants: readonly GrantConfig[], patternId: (pattern: string) => number) {
    const lengths = new Set<number>();
    for (const { model, limits } of grants) {
      const grant = Object.freeze({ pattern: model, patternId: patternId(model), limits });
      if (model.endsWith("*")) {
        this.#beginnings.set(model.slice(0, -1), grant);
        lengths.add(model.length - 1);
      } else {
        this.#exact.set(model, grant);
      }
    }
    this.#lengths = [...lengths].toSorted((left, right) => right - left);
    this.isLimited = grants.some(({ limits }) => limits !== undefined);
  }

  allows(model: string): boolean {
    if (this.#exact.has(model)) {
      return true;
    }
    for (const length of this.#lengths) {
      if (this.#beginning(model, length) !== undefined) {
        return true;
      }
    }
    return false;
  }

  /** The most specific grant. A name counts before a beginning, what was asked before the model that it is. */
  find(asked: string, model: string): Grant | undefined {
    const exact = this.#exact.get(asked) ?? this.#exact.get(model);
    if (exact !== undefined) {
      return exact;
    }
    for (const length of this.#lengths) {
      const grant = this.#beginning(asked, length) ?? this.#beginning(model, length);
      if (grant !== undefined) {
        return grant;
      }
    }
    return undefined;
  }

  #beginning(model: string, length: number): Grant | undefined {
    return length <= model.length ? this.#beginnings.get(model.slice(0, length)) : undefined;
  }
}

/** What one key may use, and how much. */
export class Policy {
  /** Whose calendar the months are; IANA name. */
  readonly timeZone: string;
  readonly consumerLimits: LimitsConfig | undefined;
  readonly keyLimits: LimitsConfig | undefined;
  /** False: no limit of the consumer, the key or any grant exists. */
  readonly isLimited: boolean;
  readonly #consumer: GrantList;
  readonly #key: GrantList | undefined;

  /** @param patternId the name-table id of a grant's pattern */
  constructor(content: PolicyContent, patternId: (pattern: string) => number) {
    const { consumerGrants, keyGrants } = content;
    this.timeZone = content.timeZone;
    this.consumerLimits = content.consumerLimits;
    this.keyLimits = content.keyLimits;
    this.#consumer = new GrantList(consumerGrants, patternId);
    this.#key = keyGrants === undefined ? undefined : new GrantList(keyGrants, patternId);
    this.isLimited =
      this.consumerLimits !== undefined ||
      this.keyLimits !== undefined ||
      this.#consumer.isLimited ||
      this.#key?.isLimited === true;
  }

  /** Both the consumer and, if it is narrower, the key are granted this name. */
  allows(model: string): boolean {
    return this.#consumer.allows(model) && (this.#key === undefined || this.#key.allows(model));
  }

  /**
   * The grants whose limits apply to a request: exact names first, then the longest beginning, then `*`. A model asked
   * for by an alias counts under the grant of its own name, unless the alias itself is granted: an alias is no way
   * around a limit.
   * @param asked the name that was asked for
   * @param model the name of the user model that it stands for
   */
  grantsFor(asked: string, model: string = asked): ApplicableGrants {
    return { consumer: this.#consumer.find(asked, model), key: this.#key?.find(asked, model) };
  }
}

/** What policies are resolved with: a name table. */
export interface PolicyNames {
  /** The name of an id, "" if there is none. */
  name(id: number): string;
  /** The id of a name, 0 if it has none. */
  find(name: string): number;
}

/** Policies by name-table id, compiled when first used. */
export class Policies {
  readonly #names: PolicyNames;
  readonly #policies = new Map<number, Policy>();
  readonly #maxPolicies: number;

  constructor(names: PolicyNames, maxPolicies: number = MAX_POLICIES) {
    this.#names = names;
    this.#maxPolicies = maxPolicies;
  }

  /** The same object for the same id, as long as there are no more than the maximum. An id of no policy allows nothing. */
  get(id: number): Policy {
    const known = this.#policies.get(id);
    if (known !== undefined) {
      return known;
    }
    const policy = new Policy(decodePolicy(this.#names.name(id)), (pattern) => this.#names.find(pattern));
    if (this.#policies.size >= this.#maxPolicies) {
      const [oldest] = this.#policies.keys();
      this.#policies.delete(oldest!);
    }
    this.#policies.set(id, policy);
    return policy;
  }
}
