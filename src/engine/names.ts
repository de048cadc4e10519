/** Every name of a snapshot that usage entries, rests or the directory refer to by id. */
import type { GrantConfig, Snapshot } from "../config/snapshot.ts";
import { ERROR_STATUS } from "../lib/errors.ts";
import type { Operation } from "../dialects/contract.ts";
import { credentialName, nodeName } from "./compile.ts";
import { implicitModels } from "./prompt-models.ts";
import { templateVersionName } from "./prompt-variants.ts";
import { policyTexts } from "./policy-text.ts";
import type { WordIds } from "./services.ts";

const OPERATIONS: readonly Operation[] = [
  "chat",
  "completions",
  "embeddings",
  "count_tokens",
  "models.list",
  "models.get",
];
const DIALECT_NAMES = ["openai", "anthropic"] as const;

/** Yields each name that must have an id before workers compile the snapshot; some come more than once. */
export function* namesOf(snapshot: Snapshot): Generator<string> {
  yield* OPERATIONS;
  yield* DIALECT_NAMES;
  yield* Object.keys(ERROR_STATUS);
  yield snapshot.gateway;
  for (const provider of snapshot.providers) {
    yield provider.name;
    yield nodeName("");
    yield* provider.nodes.map((node) => nodeName(node.url));
    yield* provider.credentials.map((credential) => credentialName(provider, credential.name));
  }
  for (const model of [...snapshot.models, ...implicitModels(snapshot)]) {
    yield model.name;
    yield* model.targets.map((target) => target.model);
  }
  for (const { name, versions } of snapshot.templates) {
    yield* versions.map(({ version }) => templateVersionName(name, version));
  }
  for (const domain of snapshot.domains) {
    yield domain.host;
    yield* domain.routes.map((route) => route.path);
  }
  for (const consumer of snapshot.consumers) {
    const policyText = policyTexts(consumer);
    yield consumer.name;
    yield* patternsOf(consumer.grants);
    for (const key of consumer.keys) {
      yield key.name;
      yield* patternsOf(key.grants ?? []);
      yield policyText(key);
    }
  }
}

/** What a grant covers is counted together, under its pattern; any grant may be limited at run time. */
function patternsOf(grants: readonly GrantConfig[]): string[] {
  return grants.map(({ model }) => model);
}

/** Looks up the words that usage entries use. */
export function wordIds(gateway: string, find: (name: string) => number): WordIds {
  const ids = (words: readonly string[]): [string, number][] => words.map((word) => [word, find(word)]);
  return {
    gateway: find(gateway),
    operations: Object.fromEntries(ids(OPERATIONS)) as WordIds["operations"],
    dialects: Object.fromEntries(ids(DIALECT_NAMES)) as WordIds["dialects"],
    errors: new Map(ids(Object.keys(ERROR_STATUS))),
  };
}
