/**
 * Everything that a configuration has and that can be limited, in its order: consumers with their grants and keys, models
 * with their targets, credentials. What is kept is small, since there may be a million keys.
 */
import type { LimitsConfig, Snapshot } from "../config/snapshot.ts";
import { TupleIndex } from "../lib/tuple-index.ts";
import { SUBJECT_TYPES, type Subject, type SubjectType } from "../quotas/bucket.ts";
import type { ConfiguredLimit } from "../quotas/usage-report.ts";
import { credentialName } from "./compile.ts";

/** A subject of a configuration. */
export interface ConfiguredSubject extends Subject {
  /** Undefined: it is not limited. */
  readonly limits: LimitsConfig | undefined;
  /** Whose calendar its months are of; IANA name. */
  readonly timeZone: string;
}

/** The subjects of one configuration. */
export class ConfiguredSubjects {
  /** Those that are limited, in their order. */
  readonly limited: readonly ConfiguredLimit[];
  readonly #index = new TupleIndex(4);
  readonly #tuple = new Int32Array(4);
  readonly #limits = new Map<number, LimitsConfig>();
  /** By consumer, where it is another than that of all others. */
  readonly #timeZones = new Map<number, string>();
  readonly #timeZone: string;

  /** @param nameId the name-table id of a name of the configuration */
  constructor(
    snapshot: Pick<Snapshot, "consumers" | "models" | "providers" | "quotas">,
    nameId: (name: string) => number,
  ) {
    this.#timeZone = snapshot.quotas.timeZone;
    const limited: ConfiguredLimit[] = [];
    for (const { limits, ...subject } of subjectsOf(snapshot, nameId)) {
      const number = this.#index.add(this.#tupleOf(subject));
      if (limits !== undefined) {
        this.#limits.set(number, limits);
        limited.push({ ...subject, limits });
      }
      if (subject.timeZone !== this.#timeZone) {
        this.#timeZones.set(subject.first, subject.timeZone);
      }
    }
    this.limited = limited;
  }

  /** Undefined if the configuration has no such subject. */
  find(subject: Subject): ConfiguredSubject | undefined {
    const number = this.#index.find(this.#tupleOf(subject));
    if (number < 0) {
      return undefined;
    }
    const { type, first, second, third } = subject;
    const timeZone = BY_CONSUMER.has(type) ? this.#timeZones.get(first) : undefined;
    return { type, first, second, third, limits: this.#limits.get(number), timeZone: timeZone ?? this.#timeZone };
  }

  #tupleOf({ type, first, second, third }: Subject): Int32Array {
    this.#tuple.set([SUBJECT_TYPES.indexOf(type), first, second, third]);
    return this.#tuple;
  }
}

const BY_CONSUMER: ReadonlySet<SubjectType> = new Set(["consumer", "key", "grant", "keyGrant"]);

/** Yields each subject once. */
function* subjectsOf(
  { consumers, models, providers, quotas }: Pick<Snapshot, "consumers" | "models" | "providers" | "quotas">,
  nameId: (name: string) => number,
): Generator<ConfiguredSubject> {
  const subject = (
    type: SubjectType,
    names: readonly [string, string?, string?],
    limits: LimitsConfig | undefined,
    timeZone: string,
  ): ConfiguredSubject => {
    const [first, second, third] = names;
    const ids = { first: nameId(first), second: nameId(second ?? ""), third: nameId(third ?? "") };
    return { type, ...ids, limits, timeZone };
  };
  for (const { name, timeZone, limits, grants, keys } of consumers) {
    yield subject("consumer", [name], limits, timeZone);
    for (const grant of grants) {
      yield subject("grant", [name, grant.model], grant.limits, timeZone);
    }
    for (const key of keys) {
      yield subject("key", [name, key.name], key.limits, timeZone);
      for (const grant of key.grants ?? []) {
        yield subject("keyGrant", [name, key.name, grant.model], grant.limits, timeZone);
      }
    }
  }
  const { timeZone } = quotas;
  for (const { name, limits, targets } of models) {
    yield subject("model", [name], limits, timeZone);
    for (const [index, { provider, model }] of targets.entries()) {
      // the same upstream model in two priorities is one subject
      const same = targets.filter((target) => target.provider === provider && target.model === model);
      if (targets.indexOf(same[0]!) === index) {
        yield subject("target", [name, provider, model], same.find((target) => target.limits)?.limits, timeZone);
      }
    }
  }
  for (const provider of providers) {
    for (const { name, limits } of provider.credentials) {
      yield subject("credential", [credentialName(provider, name)], limits, timeZone);
    }
  }
}
