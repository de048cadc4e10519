import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sharedNowMs } from "../../lib/shared-clock.ts";
import { Admission, type PlannedBucket } from "../admission.ts";
import { KIND, type BucketKind, bucketKey } from "../bucket.ts";
import { createBucketMemory, DOUBLE, REGIME } from "../bucket-layout.ts";
import { BucketTable } from "../bucket-table.ts";
import { admitOrWait } from "../lease-wait.ts";
import { createReservationMemory, ReservationTable } from "../reservation-table.ts";
import {
  AuthorityLostError,
  type Authority,
  type AuthorityState,
  type BucketExchange,
  type BucketGrant,
} from "./authority.ts";
import { LeaseKeeper, type LossRule } from "./lease-keeper.ts";

const NAMES = ["", "a team", "index"];
const leaseMs = 10_000;

/** An authority that grants what is wanted, as long as there is some. */
class FakeAuthority implements Authority {
  state: AuthorityState = { state: "ok" };
  machines = 2;
  free = Infinity;
  others = 0;
  isContested = false;
  readonly requests: BucketExchange[] = [];
  calls = 0;
  readonly forgotten: string[] = [];
  hold: Promise<void> | undefined;
  readonly onState: (state: AuthorityState) => void;

  constructor(onState: (state: AuthorityState) => void) {
    this.onState = onState;
    setImmediate(() => {
      onState(this.state);
    });
  }

  async exchange(requests: readonly BucketExchange[]): Promise<BucketGrant[]> {
    this.requests.push(...requests);
    this.calls += 1;
    const sentAt = sharedNowMs();
    await this.hold;
    if (this.state.state === "degraded") throw new AuthorityLostError("timeout", "lost");
    return requests.map((request) => {
      const more = Math.min(Math.max(0, request.wanted - request.held), this.free);
      const kept = Math.min(request.held, request.wanted);
      const lease = Math.max(request.reserved, kept + more < request.need ? kept : kept + more);
      this.free -= Math.max(0, lease - kept);
      const used = this.free === Infinity ? 0 : request.capacity - this.others - lease - this.free;
      const { others, isContested } = this;
      return { bucket: request.bucket, lease, leaseEndsAt: sentAt + leaseMs, used, others, isContested };
    });
  }

  change(state: AuthorityState): void {
    this.state = state;
    this.onState(state);
  }

  forget(bucket: string): void {
    this.forgotten.push(bucket);
  }

  async stop(): Promise<void> {}
}

const lost: AuthorityState = { state: "degraded", reason: "timeout", message: "lost" };

function planned(kind: BucketKind, limit: number, consumer = 1): PlannedBucket {
  const subject = { type: "grant", first: consumer, second: 2, third: 0 } as const;
  const isMinute = kind === "requests" || kind === "tokens";
  const key = bucketKey(subject, KIND[kind], kind.startsWith("monthly") ? 202_611 : 0);
  return { ...key, kind: KIND[kind], limit, capacity: limit, ratePerMs: isMinute ? limit / 60_000 : 0, slot: -1 };
}

async function desk(t: TestContext, onLoss: LossRule = "share") {
  const memory = createBucketMemory(64);
  const table = new BucketTable(memory, 1);
  const admission = new Admission(
    new BucketTable(memory, 2),
    new ReservationTable(createReservationMemory(64)),
    sharedNowMs,
  );
  const made: { authority?: FakeAuthority } = {};
  const nameOf = (id: number): string => NAMES[id] ?? "";
  const keeper = new LeaseKeeper({
    table,
    nameOf,
    onLoss,
    leaseMs,
    connect: (onState) => (made.authority = new FakeAuthority(onState)),
  });
  t.after(() => keeper.stop());
  await keeper.ready;
  return { table, admission, keeper, authority: made.authority! };
}

const amounts = { tokens: 10, nanoUsd: 0 };

/** Waits for it, some seconds at most. */
async function until(holds: () => boolean): Promise<void> {
  for (let look = 0; !holds(); look++) {
    assert.ok(look < 2_500, holds.toString());
    await sleep(2);
  }
}

/** Admits as a request does. @returns the reason why not, or undefined */
function admit({ admission }: { admission: Admission }, record: number, buckets: PlannedBucket[]) {
  return new Promise<string | undefined>((resolve) => {
    admitOrWait(
      admission,
      record,
      () => buckets,
      amounts,
      (refusal) => {
        resolve(refusal?.reason);
      },
    );
  });
}

test("a request gets all leases that it lacks by one exchange, those that follow need none, and names have no spaces", async (t) => {
  const one = await desk(t);
  const buckets = [planned("requests", 600), planned("tokens", 60_000), planned("monthlyTokens", 1e6)];
  assert.equal(await admit(one, 0, buckets), undefined);
  assert.deepEqual(
    one.authority.requests.map(({ bucket, mode, need }) => [bucket, mode, need]),
    [
      ["requests:grant:a%20team/index", "rate", 1],
      ["tokens:grant:a%20team/index", "rate", 10],
      ["monthlyTokens:grant:a%20team/index:2026-11", "total", 10],
    ],
  );
  await sleep(150); // what was used is told, and with it a stock is asked for
  const before = one.keeper.counts.exchanges;
  assert.equal(one.admission.admit(1, buckets, amounts), undefined);
  assert.equal(one.keeper.counts.exchanges, before);
});

test("what nobody uses any more is given back and forgotten, and then nothing is exchanged at all", async (t) => {
  const one = await desk(t);
  const buckets = [planned("tokens", 60_000)];
  assert.equal(await admit(one, 0, buckets), undefined);
  one.admission.settle(0, { tokens: 7, nanoUsd: 0 });
  await sleep(2_500);
  assert.equal(one.table.double(buckets[0]!.slot, DOUBLE.lease), 0);
  assert.equal(
    one.authority.requests.reduce((sum, { spent }) => sum + spent, 0),
    7,
  );
  assert.deepEqual(one.authority.forgotten, ["tokens:grant:a%20team/index"]);
  assert.equal(one.keeper.counts.buckets, 0);
  const before = one.keeper.counts.exchanges;
  await sleep(300);
  assert.equal(one.keeper.counts.exchanges, before);
});

test("what a stream uses beyond its estimate is told while it runs, and what was settled too high is taken back at its end", async (t) => {
  const one = await desk(t);
  const buckets = [planned("monthlyTokens", 60_000)];
  assert.equal(await admit(one, 0, buckets), undefined);
  one.admission.checkpoint(0, { tokens: 10, nanoUsd: 0 });
  const told = (): number => one.authority.requests.reduce((sum, { spent }) => sum + spent, 0);
  await until(() => told() === 10);
  await until(() => one.keeper.counts.buckets === 0);
  // nothing asks for a lease, and yet it is told
  one.admission.checkpoint(0, { tokens: 400, nanoUsd: 0 });
  await until(() => told() === 400);
  await until(() => one.keeper.counts.buckets === 0);
  one.admission.settle(0, { tokens: 397, nanoUsd: 0 });
  await until(() => told() === 397);
  await until(() => one.keeper.counts.buckets === 0);
});

test("what could not be told at last is told when the authority is back, and only then forgotten", async (t) => {
  const one = await desk(t);
  const buckets = [planned("tokens", 60_000)];
  assert.equal(await admit(one, 0, buckets), undefined);
  one.admission.settle(0, { tokens: 7, nanoUsd: 0 });
  one.authority.state = lost;
  await sleep(300);
  one.authority.change(lost);
  assert.ok(one.keeper.counts.failures > 0);
  one.table.setDouble(buckets[0]!.slot, DOUBLE.spent, 0); // the authority has taken it over
  await sleep(2_200);
  const before = one.authority.requests.length;
  one.authority.change({ state: "ok" });
  await sleep(300);
  assert.ok(one.authority.requests.length > before);
  assert.equal(one.authority.forgotten.length, 1);
});

test("what is known to be exhausted is refused without an exchange", async (t) => {
  const one = await desk(t);
  one.authority.free = 0;
  const buckets = [planned("requests", 10)];
  assert.equal(await admit(one, 0, buckets), "full");
  const before = one.keeper.counts.exchanges;
  for (let call = 0; call < 1_000; call++) {
    const refusal = one.admission.admit(1, buckets, amounts);
    assert.equal(refusal?.reason, "full");
    assert.ok(refusal.waitMs > 4_000 && refusal.waitMs <= 6_000, `${refusal.waitMs} ms`);
  }
  assert.ok(one.keeper.counts.exchanges - before <= 1);
  assert.equal(one.keeper.counts.shortages, 1);
});

test("while others hold what is needed a request waits for it a little", async (t) => {
  const one = await desk(t);
  Object.assign(one.authority, { free: 0, others: 3 });
  setTimeout(() => Object.assign(one.authority, { free: 1, others: 2 }), 120);
  const buckets = [planned("requests", 10)];
  const { admission } = one;
  let askedAt = 0;
  const startedAt = performance.now();
  for (;;) {
    const refusal = admission.admit(0, buckets, amounts);
    assert.ok(askedAt === 0 || admission.answerSince(buckets[0]!, askedAt) !== "scarce");
    if (refusal?.reason !== "lease") {
      assert.equal(refusal, undefined);
      break;
    }
    if (askedAt === 0 || admission.answerSince(buckets[0]!, askedAt) === "some") {
      askedAt = admission.askForLeases(buckets, amounts);
    }
    assert.ok(performance.now() - startedAt < 2_000);
    await sleep(2);
  }
});

test("requests that wait for leases of many limits share calls", async (t) => {
  const one = await desk(t);
  const startedAt = performance.now();
  const decisions = Array.from({ length: 50 }, async (_, index) => {
    await sleep(index);
    return admit(one, index, [planned("requests", 600, index + 1)]);
  });
  assert.deepEqual(new Set(await Promise.all(decisions)), new Set([undefined]));
  const { calls, requests } = one.authority;
  assert.ok(requests.length >= 50);
  assert.ok(calls <= 2 + (performance.now() - startedAt) / 10, `${calls} calls`);
});

test("where more wait than flows back, they are asked for ten times a second, and all that flows back is used", async (t) => {
  const one = await desk(t);
  one.authority.free = 0;
  const buckets = [planned("requests", 3_000)];
  let granted = 0;
  const refill = setInterval(() => {
    one.authority.free += 1;
    granted += 1;
  }, 20);
  t.after(() => {
    clearInterval(refill);
  });
  const startedAt = performance.now();
  let admitted = 0;
  const callers = Array.from({ length: 40 }, async (_, record) => {
    while (performance.now() - startedAt < 1_500) {
      const reason = await admit(one, record, buckets);
      admitted += reason === undefined ? 1 : 0;
      await sleep(1);
    }
  });
  await Promise.all(callers);
  const seconds = (performance.now() - startedAt) / 1_000;
  assert.ok(one.authority.requests.length <= 3 + seconds * 15, `${one.authority.requests.length} exchanges`);
  assert.ok(admitted >= granted * 0.8 && admitted <= granted, `${admitted} of ${granted}`);
});

test("a lease that is not renewed admits nothing any more", async (t) => {
  const one = await desk(t);
  const buckets = [planned("tokens", 60_000)];
  assert.equal(await admit(one, 0, buckets), undefined);
  const { slot } = buckets[0]!;
  const { promise, resolve } = Promise.withResolvers<void>();
  one.authority.hold = promise;
  one.table.setDouble(slot, DOUBLE.lease, 1_000);
  one.table.setDouble(slot, DOUBLE.leaseEndsAt, sharedNowMs() + 50);
  assert.equal(one.admission.admit(1, buckets, amounts), undefined);
  await sleep(60);
  assert.equal(one.admission.admit(2, buckets, amounts)?.reason, "lease");
  resolve();
});

for (const onLoss of ["share", "open", "closed"] as const) {
  test(`the authority is lost (${onLoss}) and found again: what was used meanwhile is told, without what has decayed`, async (t) => {
    const one = await desk(t, onLoss);
    one.authority.change(lost);
    assert.equal(one.table.regime, REGIME[onLoss]);
    const buckets = [planned("requests", 60_000), planned("monthlyTokens", 1e6)];
    const reason = await admit(one, 0, buckets);
    assert.equal(reason, onLoss === "closed" ? "full" : undefined);
    one.admission.settle(0, { tokens: 8, nanoUsd: 0 });
    await sleep(20);
    one.authority.change({ state: "ok" });
    await sleep(200);
    assert.equal(one.table.regime, REGIME.leased);
    const told = (mode: string): number =>
      one.authority.requests.filter((request) => request.mode === mode).reduce((sum, { spent }) => sum + spent, 0);
    assert.equal(told("total"), onLoss === "closed" ? 0 : 8);
    assert.equal(told("rate"), 0, "one a millisecond decays");
  });
}

test("after a limit was lowered the authority takes the lease back before it is asked for more", async (t) => {
  const one = await desk(t);
  assert.equal(await admit(one, 0, [planned("requests", 60_000)]), undefined);
  for (let record = 1; record < 40; record++) await admit(one, record, [planned("requests", 60_000)]);
  await until(() => one.authority.requests.some(({ held }) => held > 20));
  const before = one.authority.requests.length;
  const lower = planned("requests", 50);
  void admit(one, 41, [lower]);
  await until(() => one.authority.requests.length > before);
  const { capacity, wanted, reserved, need } = one.authority.requests[before]!;
  assert.deepEqual([capacity, wanted, need], [50, reserved, reserved]);
});

test("a limit that is lowered while the authority answers does not bring the old lease back into use", async (t) => {
  const one = await desk(t);
  const gate = Promise.withResolvers<void>();
  one.authority.hold = gate.promise;
  const pending = admit(one, 0, [planned("tokens", 60_000)]);
  await until(() => one.authority.requests.length > 0);
  const lower = planned("tokens", 5);
  assert.equal(one.admission.admit(1, [lower], amounts)?.reason, "tooLarge");
  gate.resolve();
  one.authority.hold = undefined;
  await until(() => one.table.double(lower.slot, DOUBLE.exchangedAt) > 0);
  assert.ok(one.table.double(lower.slot, DOUBLE.lease) <= 5);
  await pending;
});

test("an end gives back all leases and tells what was used", async (t) => {
  const one = await desk(t);
  const buckets = [planned("monthlyTokens", 1e6)];
  assert.equal(await admit(one, 0, buckets), undefined);
  one.admission.settle(0, { tokens: 12, nanoUsd: 0 });
  await one.keeper.stop();
  const last = one.authority.requests.at(-1)!;
  assert.deepEqual([last.wanted, last.reserved], [0, 0]);
  assert.equal(
    one.authority.requests.reduce((sum, { spent }) => sum + spent, 0),
    12,
  );
});

test("a worker that died with the lock is not waited for: the thread that keeps leases goes on", async (t) => {
  const one = await desk(t);
  const buckets = [planned("tokens", 60_000)];
  assert.equal(one.admission.admit(0, buckets, amounts)?.reason, "lease");
  one.admission.askForLeases(buckets, amounts);
  one.admission.table.lock.lock();
  let turns = 0;
  for (; turns < 5; turns++) await sleep(10);
  one.admission.recoverLock(2);
  await sleep(50);
  assert.equal(one.admission.admit(0, buckets, amounts), undefined);
});
