/** Everything that a configuration limits, in its order: consumers with their grants and keys, models, credentials. */
import type { LimitsConfig, Snapshot } from "../config/snapshot.ts";
import type { SubjectType } from "../quotas/bucket.ts";
import type { ConfiguredLimit } from "../quotas/usage-report.ts";
import { credentialName } from "./compile.ts";

/**
 * Yields each subject that has limits, once.
 * @param nameId the name-table id of a name of the configuration
 */
export function* limitedSubjects(snapshot: Snapshot, nameId: (name: string) => number): Generator<ConfiguredLimit> {
  yield* limitedCallers(snapshot, nameId);
  const { timeZone } = snapshot.quotas;
  for (const { name, limits, targets } of snapshot.models) {
    yield* limited("model", [name], limits, timeZone, nameId);
    const seen = new Set<string>();
    for (const target of targets) {
      // the same upstream model in two priorities is one subject
      const key = `${target.provider}/${target.model}`;
      if (target.limits !== undefined && !seen.has(key)) {
        seen.add(key);
        yield* limited("target", [name, target.provider, target.model], target.limits, timeZone, nameId);
      }
    }
  }
  for (const provider of snapshot.providers) {
    for (const { name, limits } of provider.credentials) {
      yield* limited("credential", [credentialName(provider, name)], limits, timeZone, nameId);
    }
  }
}

function* limitedCallers({ consumers }: Snapshot, nameId: (name: string) => number): Generator<ConfiguredLimit> {
  for (const { name, timeZone, limits, grants, keys } of consumers) {
    yield* limited("consumer", [name], limits, timeZone, nameId);
    for (const grant of grants) {
      yield* limited("grant", [name, grant.model], grant.limits, timeZone, nameId);
    }
    for (const key of keys) {
      yield* limited("key", [name, key.name], key.limits, timeZone, nameId);
      for (const grant of key.grants ?? []) {
        yield* limited("keyGrant", [name, key.name, grant.model], grant.limits, timeZone, nameId);
      }
    }
  }
}

function* limited(
  type: SubjectType,
  names: readonly [string, string?, string?],
  limits: LimitsConfig | undefined,
  timeZone: string,
  nameId: (name: string) => number,
): Generator<ConfiguredLimit> {
  if (limits !== undefined) {
    const [first, second, third] = names;
    yield {
      type,
      first: nameId(first),
      second: second === undefined ? 0 : nameId(second),
      third: third === undefined ? 0 : nameId(third),
      limits,
      timeZone,
    };
  }
}
