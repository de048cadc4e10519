/**
 * Entry of the loader thread: reads, checks and watches the configuration, so that the main thread never waits for a
 * large file. It owns the name table and the directory of keys; workers learn of new names before anything refers to them.
 */
import { createSecureContext } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";
import { DirectoryWriter } from "../directory/writer.ts";
import type { DirectoryEntry } from "../directory/table.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { compileEngine } from "../engine/compile.ts";
import { ConfiguredSubjects } from "../engine/configured-subjects.ts";
import { namesOf } from "../engine/names.ts";
import { policyTexts } from "../engine/policy-text.ts";
import { NameTable } from "../lib/name-table.ts";
import { runAtOnce } from "../lib/slices.ts";
import type { LimitOverride } from "../quotas/overrides/override.ts";
import type { FromLoader, LimitsAnswer, LimitsQuestion, LoaderThreadStart, ToLoader } from "./messages.ts";
import { openConfig } from "./config-source.ts";
import { LimitAnswers } from "./limit-answers.ts";
import { encodeSnapshot } from "./snapshot-parts.ts";
import { UsageAnswers } from "./usage-answers.ts";
import { messageOf, stackOf } from "../lib/thrown.ts";

const port = parentPort!;
const start = workerData as LoaderThreadStart;
const post = (message: FromLoader): void => {
  port.postMessage(message);
};

/** Names posted at once: a delta of this size is read by a worker in about a millisecond. */
const NAMES_PER_MESSAGE = 5_000;

const names = new NameTable();
const directory = new DirectoryWriter({
  onNewBuffer: (handle) => {
    post({ kind: "directory", handle });
  },
});
post({ kind: "directory", handle: directory.handle });
let publishedVersion: string | undefined;
let namesPosted = 1;
let namesKnown = 1;
let onNamesKnown: (() => void) | undefined;
const nameId = (name: string): number => names.find(name);
const limits = new LimitAnswers(nameId);
const usage = new UsageAnswers(start.buckets, names, limits.inForce);
/** What the store knew; asked for once, before anything is published. */
const known = Promise.withResolvers<readonly LimitOverride[]>();
let isAsked = false;

async function publish(snapshot: Snapshot, warnings: readonly string[], startedAt: number): Promise<void> {
  if (snapshot.version === publishedVersion) {
    return; // a comment was edited, or a file was written again as it was
  }
  for (const name of namesOf(snapshot)) {
    names.id(name);
  }
  await takeKnown(snapshot);
  dryRun(snapshot);
  await shareNames();
  const keys = snapshot.consumers.reduce((count, consumer) => count + consumer.keys.length, 0);
  await directory.replaceAll(entriesOf(snapshot), keys);
  publishedVersion = snapshot.version;
  const subjects = new ConfiguredSubjects(snapshot, nameId);
  const hasMonths = limitsMonths(subjects);
  post(limits.configure({ quotas: snapshot.quotas, subjects }));
  usage.configure(
    subjects,
    snapshot.consumers.map(({ name }) => name),
  );
  post({
    kind: "loaded",
    snapshot: { version: snapshot.version, parts: encodeSnapshot(snapshot) },
    settings: {
      gateway: snapshot.gateway,
      server: snapshot.server,
      admin: snapshot.admin,
      accessLog: snapshot.accessLog,
      quotas: snapshot.quotas,
      store: snapshot.store,
      needsStore: hasMonths || snapshot.state !== undefined,
      limitsMonths: hasMonths,
      state: snapshot.state,
    },
    warnings,
    secrets: secretsOf(snapshot),
    counts: {
      providers: snapshot.providers.length,
      models: snapshot.models.length,
      consumers: snapshot.consumers.length,
      domains: snapshot.domains.length,
      keys: directory.size,
    },
    durationMs: performance.now() - startedAt,
  });
}

function secretsOf({ providers, state }: Snapshot): string[] {
  const apiKeys = providers.flatMap((provider) => provider.credentials.map((credential) => credential.apiKey));
  const passwords = [state?.redis.password, state?.redis.sentinel?.password];
  return [...apiKeys, ...passwords.filter((password) => password !== undefined)];
}

/** Compiles once here, so that a snapshot which does not compile never reaches a worker. */
function dryRun(snapshot: Snapshot): void {
  requireUsableTls(snapshot);
  const unused = { send: () => ({ abort() {}, pause() {}, resume() {} }), close: () => Promise.resolve() };
  const origins = { take: () => unused, release() {} };
  runAtOnce(compileEngine(snapshot, { nameId, origins }));
}

/** What was set before the process started holds from its first request on. */
async function takeKnown({ store }: Snapshot): Promise<void> {
  if (!isAsked) {
    isAsked = true;
    post({ kind: "read", store });
    limits.load(await known.promise);
  }
}

function answerLimits(question: LimitsQuestion): LimitsAnswer {
  try {
    if (question.ask !== "take") {
      return limits.answer(question);
    }
    post(limits.take(question));
    return { outcome: "taken" };
  } catch (error) {
    return { outcome: "failed", message: stackOf(error) };
  }
}

/** Something is limited by the month, so that counters must outlive the process. */
function limitsMonths({ limited }: ConfiguredSubjects): boolean {
  return limited.some(
    ({ limits: { monthlyTokens, monthlyNanoUsd } }) => monthlyTokens !== undefined || monthlyNanoUsd !== undefined,
  );
}

/** While a certificate and its key are renewed one after the other, for a moment they do not belong together. */
function requireUsableTls({ server: { tls } }: Snapshot): void {
  try {
    if (tls !== undefined) {
      createSecureContext(tls);
    }
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`server.tls: certificate and key cannot be used together: ${reason}`, { cause: error });
  }
}

async function shareNames(): Promise<void> {
  while (namesPosted < names.size) {
    const { from, names: all } = names.since(namesPosted);
    const delta = { from, names: all.slice(0, NAMES_PER_MESSAGE) };
    namesPosted += delta.names.length;
    post({ kind: "names", delta });
  }
  if (namesKnown < names.size) {
    await new Promise<void>((resolve) => {
      onNamesKnown = resolve;
    });
  }
}

function* entriesOf(snapshot: Snapshot): Generator<DirectoryEntry> {
  for (const consumer of snapshot.consumers) {
    const consumerId = names.find(consumer.name);
    const policyText = policyTexts(consumer);
    for (const key of consumer.keys) {
      yield {
        hash: key.hash,
        consumer: consumerId,
        key: names.find(key.name),
        policy: names.find(policyText(key)),
        expiresAt: key.expiresAt ?? 0,
      };
    }
  }
}

const config = openConfig(start, publish, (message) => {
  post({ kind: "failed", message });
});

port.on("message", (message: ToLoader) => {
  switch (message.kind) {
    case "reload":
      config.reload();
      return;
    case "usage":
      void usage.answer(message.question).then((answer) => {
        post({ kind: "usage", id: message.id, answer });
      });
      return;
    case "limits":
      post({ kind: "limits", id: message.id, answer: answerLimits(message.question) });
      return;
    case "known":
      known.resolve(message.overrides);
      return;
    case "namesKnown":
      namesKnown = message.size;
      if (namesKnown >= names.size) {
        onNamesKnown?.();
        onNamesKnown = undefined;
      }
  }
});
config.reload();
