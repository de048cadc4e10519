// The script that grants leases, in a real Redis and a real Valkey: whatever happens, no more is granted than there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BucketMode } from "../../src/quotas/authority/authority.ts";
import { requirePart } from "../parts.ts";
import { connectTo, leaseMs, World, type Fate } from "./machines.ts";
import { startRedis } from "./redis-server.ts";

const machineCount = 3;
const capacity = 100;
const tolerance = 1e-6;

type Step =
  | { readonly kind: "admit"; readonly machine: number; readonly amount: number }
  | { readonly kind: "settle"; readonly machine: number; readonly share: number }
  | {
      readonly kind: "exchange";
      readonly machine: number;
      readonly extra: number;
      readonly need: number;
      readonly fate: Fate;
    }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "deliver" }
  | { readonly kind: "restart"; readonly machine: number }
  | { readonly kind: "loseData" }
  | { readonly kind: "clock"; readonly ms: number };

const machine = fc.nat({ max: machineCount - 1 });
const fate = fc.constantFrom<Fate>("ok", "ok", "ok", "ok", "lost", "unanswered", "late");
const calm: fc.Arbitrary<Step>[] = [
  fc.record({ kind: fc.constant("admit" as const), machine, amount: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("settle" as const), machine, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant("exchange" as const),
    machine,
    extra: fc.nat({ max: 60 }),
    need: fc.nat({ max: 30 }),
    fate,
  }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 900 }) }),
  fc.constant({ kind: "deliver" as const }),
];
const rough: fc.Arbitrary<Step>[] = [
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 2 * leaseMs }) }),
  fc.record({ kind: fc.constant("restart" as const), machine }),
];
const ruinous: fc.Arbitrary<Step>[] = [
  fc.constant({ kind: "loseData" as const }),
  fc.record({ kind: fc.constant("clock" as const), ms: fc.integer({ min: -100_000, max: 100_000 }) }),
];

async function perform(world: World, step: Step): Promise<void> {
  switch (step.kind) {
    case "admit":
      world.machines[step.machine]!.admit(world.shape.mode === "concurrency" ? 1 : step.amount);
      return;
    case "settle":
      world.machines[step.machine]!.settle(step.share);
      return;
    case "exchange":
      await world.machines[step.machine]!.exchange(step.extra, step.need, step.fate);
      return;
    case "wait":
      world.tick(step.ms);
      return;
    case "deliver":
      await world.deliverLate();
      return;
    case "restart":
      world.machines[step.machine]!.restart();
      return;
    case "loseData":
      await world.loseData();
      return;
    case "clock":
      world.skewMs += step.ms;
  }
}

/** Everybody settles and gives back; afterwards only what was used is left. */
async function quieten(world: World): Promise<{ used: number; leased: number }> {
  await world.deliverLate();
  for (const each of world.machines) while (each.running.length > 0) each.settle(0.5);
  for (let round = 0; round < 2; round++) {
    for (const each of world.machines) await each.exchange(0, 0, "ok");
    world.tick(leaseMs + 1); // leases of processes that are no more have ended
  }
  for (const each of world.machines) await each.exchange(0, 0, "ok");
  const stored = await world.stored();
  const values = (prefix: string): number[][] =>
    Object.entries(stored)
      .filter(([field]) => field.startsWith(prefix))
      .map(([, value]) => value.split(" ").map(Number));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const counted = sum(values("l:").map(([, , , , count]) => count!)) + sum(values("f:").map(([count]) => count!));
  return {
    used: world.shape.mode === "rate" ? Number(stored["u"]) : counted + Number(stored["h"] ?? 0),
    leased: sum(values("l:").map(([lease]) => lease!)),
  };
}

async function explore(
  world: (run: number) => World,
  steps: fc.Arbitrary<Step>[],
  numRuns: number,
  check: (world: World, step: Step) => void,
  end: (world: World, rest: { used: number; leased: number }) => void,
): Promise<void> {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...steps), { minLength: 10, maxLength: 60 }), async (path) => {
      const each = world((run += 1));
      for (const step of path) {
        await perform(each, step);
        check(each, step);
      }
      end(each, await quieten(each));
    }),
    { numRuns },
  );
}

function shapeOf(mode: BucketMode) {
  return { mode, capacity, ratePerMs: mode === "rate" ? capacity / 60_000 : 0 };
}

function checkNeverMore(world: World): void {
  const sum = world.held + (world.shape.mode === "concurrency" ? 0 : world.used);
  assert.ok(sum <= capacity + tolerance, `${world.used} are used and ${world.held} held, of ${capacity}`);
}

for (const product of ["redis", "valkey"] as const) {
  const numRuns = product === "redis" ? 150 : 40;

  for (const mode of ["rate", "total", "concurrency"] as const) {
    test(`${product}, ${mode}: with calls and answers that get lost or come late, used and held never exceed the capacity`, async (t) => {
      if (!requirePart(t, product)) return;
      const client = await connectTo(await startRedis(t, { product }));
      t.after(() => client.destroy());
      await explore(
        (run) => new World(client, shapeOf(mode), machineCount, run),
        // short waits, so that no lease ends
        calm,
        numRuns,
        (world) => {
          if (world.machines.every((each) => !each.hasLapsed)) checkNeverMore(world);
        },
        (world, { used, leased }) => {
          assert.equal(leased, 0);
          if (mode === "total") assert.equal(used, world.used);
          if (mode === "rate") assert.ok(used >= world.used - tolerance, `${used} is less than the true ${world.used}`);
        },
      );
    });
  }

  test(`${product}, total: machines that die, restart or are cut off change nothing of that`, async (t) => {
    if (!requirePart(t, product)) return;
    const client = await connectTo(await startRedis(t, { product }));
    t.after(() => client.destroy());
    await explore(
      (run) => new World(client, shapeOf("total"), machineCount, run),
      [...calm, ...rough],
      numRuns,
      checkNeverMore,
      (world, { used, leased }) => {
        assert.equal(leased, 0);
        assert.equal(used, world.used);
      },
    );
  });

  test(`${product}: data lost and clocks set wrong are healed`, async (t) => {
    if (!requirePart(t, product)) return;
    const client = await connectTo(await startRedis(t, { product }));
    t.after(() => client.destroy());
    for (const mode of ["total", "rate", "concurrency"] as const) {
      await explore(
        (run) => new World(client, shapeOf(mode), machineCount, run),
        [...calm, ...rough, ...ruinous],
        numRuns,
        () => {},
        (world, { used, leased }) => {
          assert.equal(leased, 0);
          if (mode === "total") assert.equal(used, world.used);
        },
      );
    }
  });
}
