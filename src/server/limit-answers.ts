/**
 * The loader thread's side of limits that are set at run time: it knows the configuration, so it says what may be set,
 * what has effect, and what holds.
 */
import { limitsDocument, readLimits } from "../config/limits-document.ts";
import type { LimitsConfig, Snapshot } from "../config/snapshot.ts";
import type { ConfiguredSubject, ConfiguredSubjects } from "../engine/configured-subjects.ts";
import { parseJson } from "../lib/json-parse.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import {
  namedSubjectText,
  parseSubjectText,
  SUBJECT_PARTS,
  type NamedSubject,
  type Subject,
} from "../quotas/bucket.ts";
import { LimitOverrides, type OverrideChange } from "../quotas/overrides/limit-overrides.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import type { FromLoader, LimitsAnswer, LimitsQuestion, LimitsRefusal, OverrideWrite } from "./messages.ts";

/** Subjects whose limits may be set at one time: exceptions, not a second configuration. */
const MAX_OVERRIDES = 10_000;
const NO_SUBJECT = "the configuration has no such subject now";

type InForce = Extract<FromLoader, { kind: "inForce" }>;

/** What was set for one subject, and what becomes of it under the configuration. */
interface Evaluated {
  readonly override: LimitOverride;
  /** Undefined: it has no effect. */
  readonly holds: LimitsConfig | "nothing" | undefined;
  /** Why it has no effect. */
  readonly reason: string | undefined;
}

/** The configuration that everything goes by. */
export interface LimitsConfiguration {
  readonly quotas: Snapshot["quotas"];
  readonly subjects: ConfiguredSubjects;
}

/** Everything that was set, over one configuration after the other. */
export class LimitAnswers {
  /** What of it has effect. */
  readonly inForce = new LimitOverrides();
  /** The name-table id of a name, 0 for one that is not known. */
  readonly #nameId: (name: string) => number;
  #configuration: LimitsConfiguration | undefined;
  readonly #evaluated = new Map<string, Evaluated>();
  /** Subjects that the log was told of, until they have effect again. */
  readonly #warned = new Set<string>();

  constructor(nameId: (name: string) => number) {
    this.#nameId = nameId;
  }

  /** What was set before the process began; it has effect when a configuration comes. */
  load(overrides: readonly LimitOverride[]): void {
    for (const override of overrides) {
      if (override.limits !== null) {
        this.#evaluated.set(override.subject, { override, holds: undefined, reason: undefined });
      }
    }
  }

  /** Goes by this configuration from now on. */
  configure(configuration: LimitsConfiguration): InForce {
    this.#configuration = configuration;
    return this.#evaluate(this.#overrides());
  }

  /** Takes what was set or removed. */
  take({ entries, forgotten }: OverrideWrite): InForce {
    const removed = [
      ...forgotten.flatMap((subject) => this.#evaluated.get(subject)?.override ?? []),
      ...entries.filter(({ limits }) => limits === null),
    ];
    const changes = removed.flatMap(({ subject }) => {
      const before = this.#evaluated.get(subject);
      this.#evaluated.delete(subject);
      this.#warned.delete(subject);
      return before?.holds === undefined ? [] : this.#change(subject, "file");
    });
    this.inForce.take(changes);
    const set = this.#evaluate(entries.filter(({ limits }) => limits !== null));
    return { ...set, changes: [...changes, ...set.changes] };
  }

  answer(question: Exclude<LimitsQuestion, { ask: "take" }>): LimitsAnswer {
    switch (question.ask) {
      case "all": {
        const limits = this.#overrides().map(({ subject }) => this.#describe(subject, question.isShared));
        return { outcome: "found", body: JSON.stringify({ limits }) };
      }
      case "one": {
        const text = namedSubjectText(question.subject);
        if (this.#find(question.subject) === undefined && !this.#evaluated.has(text)) {
          return noSubject(question.subject);
        }
        const before = question.before === undefined ? {} : { before: parseJson(question.before) };
        return { outcome: "found", body: JSON.stringify({ ...this.#describe(text, question.isShared), ...before }) };
      }
      case "set":
        return this.#maySet(question.subject, question.text);
      case "remove":
        return this.#mayRemove(question.subject);
    }
  }

  #maySet(named: NamedSubject, text: string): LimitsAnswer {
    const subject = namedSubjectText(named);
    if (this.#find(named) === undefined) {
      return noSubject(named);
    }
    if (!this.#evaluated.has(subject) && this.#evaluated.size >= MAX_OVERRIDES) {
      const message = `Limits of ${MAX_OVERRIDES} subjects are set at run time, which is as many as there may be. Write those that are to last into the file, and remove them here.`;
      return refused("too_many_limits", message);
    }
    const limits = parseLimits(text);
    const reading = limits === undefined ? undefined : readLimits(limits, this.#configuration!.quotas);
    if (limits === undefined || reading === undefined) {
      const message =
        'The body is no JSON map. Send limits as the file has them: {"rpm": 100, "monthly": {"usd": 50}}.';
      return refused("invalid_limits", message);
    }
    if (!reading.isValid) {
      return refused("invalid_limits", reading.problems.join(" "));
    }
    return { outcome: "allowed", subject, limits, before: JSON.stringify(this.#holds(named)) };
  }

  #mayRemove(named: NamedSubject): LimitsAnswer {
    const subject = namedSubjectText(named);
    if (this.#evaluated.has(subject)) {
      return { outcome: "allowed", subject, limits: null, before: JSON.stringify(this.#holds(named)) };
    }
    return this.#find(named) === undefined
      ? noSubject(named)
      : refused(
          "limits_not_set",
          `Nothing was set at run time for ${subject}: what the file says holds. GET /admin/v1/limits tells what was set.`,
        );
  }

  #evaluate(overrides: readonly LimitOverride[]): InForce {
    const warnings: string[] = [];
    const changes = overrides.flatMap((override) => {
      const { subject } = override;
      const before = this.#evaluated.get(subject)?.holds;
      const now = this.#effectOf(override);
      this.#evaluated.set(subject, now);
      if (now.reason === undefined) {
        this.#warned.delete(subject);
      } else if (!this.#warned.has(subject)) {
        this.#warned.add(subject);
        warnings.push(`limits that were set at run time for ${subject} have no effect: ${now.reason}`);
      }
      return JSON.stringify(before) === JSON.stringify(now.holds) ? [] : this.#change(subject, now.holds ?? "file");
    });
    this.inForce.take(changes);
    const inForce = [...this.#evaluated.values()].filter(({ holds }) => holds !== undefined).length;
    return { kind: "inForce", changes, counts: { inForce, withoutEffect: this.#evaluated.size - inForce }, warnings };
  }

  #effectOf(override: LimitOverride): Evaluated {
    const none = (reason: string): Evaluated => ({ override, holds: undefined, reason });
    const named = read(override.subject);
    if (named === undefined || this.#find(named) === undefined) {
      return none(NO_SUBJECT);
    }
    const reading = readLimits(override.limits, this.#configuration!.quotas);
    if (!reading.isValid) {
      return none(`this version of Sluice cannot read them: ${reading.problems.join(" ")}`);
    }
    return { override, holds: reading.limits ?? "nothing", reason: undefined };
  }

  #change(text: string, holds: OverrideChange["holds"]): OverrideChange[] {
    const named = read(text);
    return named === undefined ? [] : [{ subject: this.#idsOf(named), holds }];
  }

  #idsOf({ type, names }: NamedSubject): Subject {
    const [first = 0, second = 0, third = 0] = names.map(this.#nameId);
    return { type, first, second, third };
  }

  #find(named: NamedSubject): ConfiguredSubject | undefined {
    return this.#configuration?.subjects.find(this.#idsOf(named));
  }

  #overrides(): LimitOverride[] {
    return Array.from(this.#evaluated.values(), ({ override }) => override);
  }

  /** What limits a subject now, in the words of the file; null if nothing does. */
  #holds(named: NamedSubject): JsonObject | null {
    return documentOf(this.inForce.limitsOf(this.#idsOf(named), this.#find(named)?.limits));
  }

  #file(named: NamedSubject): JsonObject | null {
    return documentOf(this.#find(named)?.limits);
  }

  #describe(subject: string, isShared: boolean): JsonObject {
    const named = read(subject);
    const parts = named?.names.map((name, index) => [SUBJECT_PARTS[named.type][index], name]) ?? [];
    const evaluated = this.#evaluated.get(subject);
    return {
      subject,
      ...(named && { type: named.type }),
      ...(Object.fromEntries(parts) as Record<string, string>),
      holds: named === undefined ? null : this.#holds(named),
      file: named === undefined ? null : this.#file(named),
      set: evaluated === undefined ? null : describeOverride(evaluated, isShared),
    };
  }
}

function documentOf(limits: LimitsConfig | undefined): JsonObject | null {
  return limits === undefined ? null : limitsDocument(limits);
}

function describeOverride({ override, reason }: Evaluated, isShared: boolean): JsonObject {
  const { limits, setAt, by, from, on, version } = override;
  return {
    limits,
    at: new Date(setAt).toISOString(),
    by,
    from,
    on,
    reach: isShared ? (version === null ? "pending" : "all") : "machine",
    inForce: reason === undefined,
    ...(reason !== undefined && { reason }),
  };
}

function parseLimits(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The names of a text that may come from elsewhere. */
function read(subject: string): NamedSubject | undefined {
  try {
    return parseSubjectText(subject);
  } catch {
    return undefined;
  }
}

function noSubject(named: NamedSubject): LimitsAnswer {
  const message = `The configuration has no ${describeSubject(named)}. \`sluice check FILE\` names everything in it; what is not in it cannot be limited.`;
  return refused("subject_not_found", message);
}

function describeSubject({ type, names }: NamedSubject): string {
  return `${type} ${names.map((name) => JSON.stringify(name.slice(0, 100))).join(" / ")}`;
}

function refused(reason: LimitsRefusal, message: string): LimitsAnswer {
  return { outcome: "refused", reason, message };
}
