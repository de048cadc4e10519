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
  | { readonly kind: "spend"; readonly machine: number; readonly amount: number }
  | { readonly kind: "settle"; readonly machine: number; readonly share: number }
  | { readonly kind: "correct"; readonly machine: number; readonly amount: number }
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
  fc.record({ kind: fc.constant("spend" as const), machine, amount: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("settle" as const), machine, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant("exchange" as const),
    machine,
    extra: fc.oneof(fc.nat({ max: 60 }), fc.constant(capacity)),
    need: fc.oneof(fc.constant(0), fc.nat({ max: 30 })),
    fate,
  }),
  fc.record({ kind: fc.constant("correct" as const), machine, amount: fc.integer({ min: 1, max: 9 }) }),
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
    case "spend":
      if (world.machines[step.machine]!.admit(step.amount)) world.machines[step.machine]!.settle(1);
      return;
    case "settle":
      world.machines[step.machine]!.settle(step.share);
      return;
    case "correct":
      world.machines[step.machine]!.correct(step.amount);
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

/** What was used is counted, and no more but for corrections that died with a process or with the data, and `twice`. */
function checkUsed(world: World, used: number, twice = 0): void {
  const told = `${used}, not ${world.used}, ${world.corrected} of which were corrected, ${twice} counted twice`;
  assert.ok(used >= world.used && used <= world.used + world.corrected + twice, told);
}

/** One scenario in a real Redis. */
function scenario(name: string, mode: BucketMode, play: (world: World) => Promise<void>): void {
  test(name, async (t) => {
    if (!requirePart(t, "redis")) return;
    const client = await connectTo(await startRedis(t));
    t.after(() => client.destroy());
    await play(new World(client, shapeOf(mode), machineCount, 1));
  });
}

const [a, b, c] = [0, 1, 2];

/** Leases what a machine needs and spends it. */
async function spend(world: World, who: number, amount: number): Promise<void> {
  const each = world.machines[who]!;
  await each.exchange(amount, amount, "ok");
  assert.ok(each.admit(amount));
  each.settle(1);
  await each.exchange(0, 0, "ok");
}

scenario("less than is needed is not granted, and the others are told to give back", "rate", async (world) => {
  const [first, second] = world.machines;
  await first!.exchange(80, 0, "ok");
  await second!.exchange(60, 30, "ok");
  assert.equal(second!.lease, 0);
  assert.equal(second!.last?.isContested, true);
  await first!.exchange(10, 0, "ok");
  assert.equal(first!.last?.isContested, true);
  await second!.exchange(200, 30, "ok");
  assert.equal(second!.lease, 90);
});

scenario(
  "a lease of a rate that ends is used from then on, and given back when its machine returns",
  "rate",
  async (world) => {
    const [first, second] = world.machines;
    await first!.exchange(90, 90, "ok");
    world.tick(leaseMs + 6_000);
    await second!.exchange(0, 0, "ok");
    assert.equal(second!.last?.used, 80, "90, of which 10 have decayed in 6 s");
    world.tick(6_000);
    await second!.exchange(0, 0, "ok");
    await second!.exchange(10, 10, "ok");
    second!.admit(10);
    second!.settle(1);
    await first!.exchange(0, 0, "ok");
    assert.equal(first!.last?.used, 0, "it had spent nothing");
    await second!.exchange(0, 0, "ok");
    assert.equal(second!.last?.used, 10);
  },
);

scenario("what had decayed of an ended lease is not given back a second time", "rate", async (world) => {
  const [first] = world.machines;
  await first!.exchange(30, 30, "ok");
  world.tick(leaseMs + 1);
  await spend(world, b, 40);
  world.tick(12_000); // 20 of 70 decay
  await first!.exchange(0, 0, "ok");
  assert.ok(
    Math.abs(first!.last!.used - 40) < 0.1,
    `${first!.last!.used}: the ended lease's rest of 10 was given back`,
  );
});

scenario("what a machine that is gone held of a month is free when its lease has ended", "total", async (world) => {
  const [first, second] = world.machines;
  await first!.exchange(70, 70, "ok");
  world.tick(leaseMs - 1);
  await second!.exchange(100, 0, "ok");
  assert.equal(second!.lease, 30);
  world.tick(2);
  await second!.exchange(100, 0, "ok");
  assert.equal(second!.lease, 100);
  first!.restart();
  await first!.exchange(50, 50, "ok");
  assert.equal(first!.lease, 0);
});

scenario("what ran on a machine that was cut off for so long counts when it is back", "total", async (world) => {
  const [first, second] = world.machines;
  await first!.exchange(70, 70, "ok");
  first!.admit(60);
  world.tick(leaseMs + 1);
  await spend(world, b, 50);
  first!.settle(1);
  await first!.exchange(0, 0, "ok");
  assert.deepEqual([first!.last?.used, first!.lease], [110, 0]);
  await second!.exchange(10, 10, "ok");
  assert.equal(second!.lease, 0);
});

scenario("what runs on a machine that is gone holds no place", "concurrency", async (world) => {
  const [first, second] = world.machines;
  await first!.exchange(100, 100, "ok");
  world.tick(leaseMs - 1);
  await second!.exchange(1, 1, "ok");
  assert.equal(second!.lease, 0);
  world.tick(2);
  await second!.exchange(1, 1, "ok");
  assert.equal(second!.lease, 1);
});

scenario("what was told of a month and turns out to be less is less for all", "total", async (world) => {
  await spend(world, a, 30);
  await spend(world, b, 20); // and knows of 50
  const [first, second, third] = world.machines;
  first!.correct(6);
  await first!.exchange(0, 0, "ok");
  await second!.exchange(0, 0, "ok");
  assert.equal(second!.last?.used, 44);
  await third!.exchange(100, 0, "ok");
  assert.equal(third!.lease, 56);
});

scenario("a month survives the loss of all data, also what a machine used that is no more", "total", async (world) => {
  await spend(world, a, 20);
  await spend(world, b, 30);
  await spend(world, c, 7);
  await spend(world, a, 1); // and knows of all
  await world.loseData();
  const [first, second, third] = world.machines;
  await first!.exchange(100, 0, "ok");
  assert.equal(first!.last?.used, 58);
  assert.equal(first!.lease, 42);
  await first!.exchange(0, 0, "ok");
  await spend(world, b, 4);
  assert.equal(second!.last?.used, 62);
  third!.restart();
  await third!.exchange(0, 0, "ok");
  assert.equal(third!.last?.used, 62);
  await spend(world, c, 3);
  assert.equal(third!.last?.used, 65);
});

scenario("what a killed process said last comes after its successor has spoken", "total", async (world) => {
  const [first] = world.machines;
  await first!.exchange(30, 30, "ok");
  first!.admit(20);
  first!.settle(1);
  await first!.exchange(30, 0, "late");
  first!.restart();
  await first!.exchange(0, 0, "ok");
  await world.deliverLate();
  world.tick(leaseMs + 1);
  await first!.exchange(capacity, 0, "ok");
  assert.equal(first!.last?.used, 20);
  assert.equal(first!.lease, 80);
});

scenario("a rate survives the loss of all data: nothing is free again, nothing counts twice", "rate", async (world) => {
  await spend(world, a, 60);
  await spend(world, b, 30);
  world.tick(6_000);
  await world.loseData();
  const [first, second] = world.machines;
  await first!.exchange(0, 0, "ok");
  assert.equal(first!.last?.used, 50);
  await second!.exchange(0, 0, "ok");
  assert.equal(second!.last?.used, 80);
  world.tick(6_000);
  await first!.exchange(0, 0, "ok");
  assert.ok(Math.abs(first!.last.used - 70) < 0.01);
});

scenario("leases that a Redis has forgotten are not granted to others", "rate", async (world) => {
  const [first, second] = world.machines;
  await first!.exchange(70, 70, "ok");
  await second!.exchange(10, 10, "ok");
  await world.loseData();
  await second!.exchange(100, 0, "ok");
  assert.equal(second!.lease, 30);
  await first!.exchange(70, 70, "ok");
  assert.equal(first!.lease, 70);
});

scenario("a clock that is set back neither stops the decay nor prolongs a lease", "rate", async (world) => {
  const [first, second] = world.machines;
  await spend(world, a, 50);
  await second!.exchange(50, 50, "ok");
  world.skewMs -= 3_600_000;
  await first!.exchange(0, 0, "ok");
  assert.equal(first!.last?.used, 50);
  world.tick(6_000);
  await first!.exchange(0, 0, "ok");
  assert.ok(Math.abs(first!.last.used - 40) < 0.1);
  world.tick(leaseMs);
  await first!.exchange(0, 0, "ok");
  assert.ok(first!.last.used > 50, "the lease has ended");
});

for (const product of ["redis", "valkey"] as const) {
  const numRuns = product === "redis" ? 200 : 40;

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

  test(`${product}, total: machines that die and restart change nothing of that; those that are cut off pass it by what ran on them`, async (t) => {
    if (!requirePart(t, product)) return;
    const client = await connectTo(await startRedis(t, { product }));
    t.after(() => client.destroy());
    await explore(
      (run) => new World(client, shapeOf("total"), machineCount, run),
      [...calm, ...rough],
      numRuns,
      (world) => {
        const ranOn = world.machines.reduce((sum, each) => sum + each.ranOn, 0);
        assert.ok(world.held + world.used <= capacity + ranOn + tolerance, `${world.held} and ${world.used}, ${ranOn}`);
      },
      (world, { used, leased }) => {
        assert.equal(leased, 0);
        checkUsed(world, used);
      },
    );
  });

  test(`${product}, rate: a machine that was cut off is charged once, for what it spent`, async (t) => {
    if (!requirePart(t, product)) return;
    const client = await connectTo(await startRedis(t, { product }));
    t.after(() => client.destroy());
    const long = fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 2 * leaseMs }) });
    await explore(
      (run) => new World(client, shapeOf("rate"), machineCount, run),
      [...calm, long],
      numRuns,
      () => {},
      (world, { used }) => {
        assert.ok(used >= world.used - tolerance, `${used} is less than the true ${world.used}`);
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
          // What a machine told without hearing an answer may be among what others knew before the data was lost.
          if (mode === "total") checkUsed(world, used, world.unanswered);
        },
      );
    }
  });
}
