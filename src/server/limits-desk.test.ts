import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessLog } from "../observability/log.ts";
import { namedSubjectText } from "../quotas/bucket.ts";
import { encodeOverride, type LimitOverride } from "../quotas/overrides/override.ts";
import { LimitsDesk, LimitsNotStored } from "./limits-desk.ts";
import type { LimitsAnswer, LimitsQuestion, OverrideWrite } from "./messages.ts";

const AUTHOR = { by: "ops", from: "127.0.0.1" };
const set = (name: string, rpm: number) =>
  ({ ask: "set", subject: { type: "consumer", names: [name] }, text: `{"rpm":${rpm}}` }) as const;
const remove = (name: string) => ({ ask: "remove", subject: { type: "consumer", names: [name] } }) as const;

/** A desk whose store, loader and Redis are the test's. */
function start() {
  const stored: OverrideWrite[] = [];
  const inForce: OverrideWrite[] = [];
  const logged: string[] = [];
  const world = { stored, inForce, logged, storeFails: false, isAllowed: true, storeMs: 0 };
  const say = (_details: unknown, message?: string): void => {
    logged.push(message ?? "");
  };
  const desk = new LimitsDesk({
    ask: (question: LimitsQuestion): Promise<LimitsAnswer> => {
      if (question.ask === "set" || question.ask === "remove") {
        const subject = namedSubjectText(question.subject);
        const limits = question.ask === "set" ? (JSON.parse(question.text) as { rpm: number }) : null;
        return Promise.resolve(
          world.isAllowed
            ? { outcome: "allowed", subject, limits, before: "null" }
            : { outcome: "refused", reason: "subject_not_found", message: "no" },
        );
      }
      return Promise.resolve({ outcome: "found", body: JSON.stringify(question) });
    },
    putIntoForce: async (write) => {
      inForce.push(write);
    },
    store: async (write) => {
      await sleep(world.storeMs);
      if (world.storeFails) throw new Error("the disk is full");
      stored.push(write);
    },
    log: { info: say, warn: say, error: say } as unknown as ProcessLog,
  });
  return { desk, ...world, world };
}

test("a change is stored before it holds, and what is not stored does not hold", async () => {
  const { desk, world } = start();
  const answer = await desk.change(set("a", 1), AUTHOR);
  assert.deepEqual(answer.outcome === "found" && JSON.parse(answer.body), {
    ask: "one",
    subject: { type: "consumer", names: ["a"] },
    isShared: false,
    before: "null",
  });
  assert.deepEqual(world.stored, world.inForce);
  const [{ entries }] = world.stored as [OverrideWrite];
  assert.deepEqual(
    entries.map(({ subject, limits, by, from, version }) => ({ subject, limits, by, from, version })),
    [{ subject: "consumer:a", limits: { rpm: 1 }, ...AUTHOR, version: null }],
  );
  assert.match(world.logged[0]!, /limits of consumer:a were changed: \{"rpm":1\}/);
  world.storeFails = true;
  await assert.rejects(desk.change(set("a", 2), AUTHOR), (error) => {
    return error instanceof LimitsNotStored && /Nothing was changed.*the disk is full/.test(error.message);
  });
  assert.equal(world.inForce.length, 1);
});

test("what is refused changes nothing", async () => {
  const { desk, world } = start();
  world.isAllowed = false;
  assert.equal((await desk.change(set("a", 1), AUTHOR)).outcome, "refused");
  assert.deepEqual([world.stored, world.inForce], [[], []]);
});

test("alone, a removal leaves nothing behind", async () => {
  const { desk, world } = start();
  await desk.change(remove("a"), AUTHOR);
  assert.deepEqual(world.stored, [{ entries: [], forgotten: ["consumer:a"] }]);
});

test("changes come one after the other, in their order", async () => {
  const { desk, world } = start();
  world.storeMs = 20;
  const first = desk.change(set("a", 1), AUTHOR);
  world.storeMs = 0;
  await Promise.all([first, desk.change(set("a", 2), AUTHOR), desk.change(set("a", 3), AUTHOR)]);
  const limits = world.inForce.map(({ entries }) => entries[0]?.limits);
  assert.deepEqual(limits, [{ rpm: 1 }, { rpm: 2 }, { rpm: 3 }]);
});

/** What Redis' script would answer. */
function listing(mark: string, entries: readonly LimitOverride[]): string[] {
  return [mark, ...entries.flatMap((entry) => [entry.subject, `${entry.version} + ${encodeOverride(entry)}`])];
}

test("with other machines: theirs holds here, ours is told, and nobody waits for a Redis that is away", async (t) => {
  const { desk, world } = start();
  t.after(() => {
    desk.stop();
  });
  const theirs: LimitOverride = {
    subject: "consumer:b",
    limits: { rpm: 7 },
    setAt: 1,
    by: "ci",
    from: "10.0.0.2",
    on: "m2",
    version: 10,
  };
  const calls: (readonly string[])[] = [];
  const redis = { isAway: false };
  const call = (_script: unknown, _key: string, args: readonly string[]): Promise<unknown> => {
    calls.push(args);
    return redis.isAway ? Promise.reject(new Error("away")) : Promise.resolve(listing("m", [theirs]));
  };
  await desk.share({ gateway: "main", call });
  assert.deepEqual(world.inForce, [{ entries: [theirs], forgotten: [] }]);
  assert.deepEqual(world.stored, world.inForce);
  assert.match(world.logged[0]!, /limits of consumer:b were changed on another machine/);
  redis.isAway = true;
  await desk.change(set("a", 1), AUTHOR);
  assert.equal(desk.unshared, 1);
  await desk.change(remove("b"), AUTHOR);
  const removal = world.stored.at(-1)!.entries[0]!;
  assert.deepEqual([removal.limits, removal.version], [null, null], "kept until others know");
  redis.isAway = false;
  await desk.change(set("c", 1), AUTHOR);
  const told = calls.at(-1)!.slice(4);
  assert.deepEqual(
    told.filter((_, at) => at % 4 === 0),
    ["consumer:b", "consumer:a", "consumer:c"],
  );
});

test("what others have set holds even if it cannot be stored, and is stored with the next that can", async (t) => {
  const { desk, world } = start();
  t.after(() => {
    desk.stop();
  });
  const entry = (name: string, version: number): LimitOverride => {
    return { subject: `consumer:${name}`, limits: { rpm: 1 }, setAt: 1, by: "", from: "", on: "", version };
  };
  const there = { mark: "m1", entries: [entry("a", 1)] };
  world.storeFails = true;
  await desk.share({ gateway: "main", call: () => Promise.resolve(listing(there.mark, there.entries)) });
  assert.equal(world.inForce.length, 1);
  assert.match(world.logged.join("\n"), /hold here, but not after a restart/);
  world.storeFails = false;
  there.mark = "m2";
  there.entries = [entry("a", 1), entry("b", 2)];
  await desk.change(set("c", 1), AUTHOR);
  const names = world.stored.flatMap(({ entries }) => entries.map(({ subject }) => subject));
  assert.deepEqual(names, ["consumer:c", "consumer:a", "consumer:b"]);
});
