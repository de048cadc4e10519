// A thread is killed between any two of its writes: what it was doing is done in all buckets, or in none.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Admission, type PlannedBucket } from "./admission.ts";
import { KIND, type BucketKind, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE, LOCK_WORD } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { createReservationMemory, HELD, ReservationTable } from "./reservation-table.ts";

const WORKER = 4;
const RECORD = 1;
const KINDS: readonly BucketKind[] = ["requests", "tokens", "concurrency", "monthlyTokens", "monthlyUsd"];

function planned(kind: BucketKind, type: "consumer" | "target"): PlannedBucket {
  const ratePerMs = kind === "requests" || kind === "tokens" ? 0.001 : 0;
  const key = bucketKey({ type, first: 1, second: 0, third: 0 }, KIND[kind], 0);
  return { ...key, kind: KIND[kind], limit: 1e6, capacity: 1e6, ratePerMs, slot: -1 };
}

class Killed extends Error {}

/** A worker, a request of it that runs, and everything that its operations change. */
class Desk {
  readonly call: readonly PlannedBucket[] = KINDS.map((kind) => planned(kind, "consumer"));
  readonly attempt: readonly PlannedBucket[] = KINDS.map((kind) => planned(kind, "target"));
  readonly table: BucketTable;
  readonly held: ReservationTable;
  readonly admission: Admission;
  readonly #memory = createBucketMemory(64);
  readonly #reservations = createReservationMemory(4);

  constructor() {
    this.table = new BucketTable(this.#memory, WORKER);
    this.held = new ReservationTable(this.#reservations);
    this.admission = new Admission(this.table, this.held, () => 1_000);
    // others hold and have used something, which must stay
    this.admission.admit(0, this.call, { tokens: 7, nanoUsd: 5 });
    this.admission.admitAttempt(0, this.attempt);
  }

  get state(): unknown {
    const { held, table } = this;
    const fields = [DOUBLE.used, DOUBLE.reserved, DOUBLE.spent, DOUBLE.total];
    const buckets = [...this.call, ...this.attempt].map(({ slot }) => fields.map((field) => table.double(slot, field)));
    const isHeld = held.isHeld(RECORD);
    const record = [
      held.callCount(RECORD),
      held.count(RECORD),
      ...Object.values(HELD).map((at) => held.get(RECORD, at)),
    ];
    return { buckets, isHeld, record: isHeld ? record : [] };
  }

  /** @returns whether it was killed before its end */
  killAt(t: TestContext, write: number, act: () => void): boolean {
    let left = write;
    const tick = (): void => {
      if (left-- === 0) throw new Killed();
    };
    const before = (target: object, name: string): void => {
      const original = Reflect.get(target, name) as (...parameters: unknown[]) => unknown;
      t.mock.method(target as Record<string, () => unknown>, name, function (this: unknown, ...parameters: unknown[]) {
        tick();
        return original.apply(target, parameters);
      });
    };
    before(Atomics, "store");
    before(this.table, "setDouble");
    for (const name of ["set", "setHeld", "setCounts", "setBucket"]) before(this.held, name);
    try {
      act();
      return false;
    } catch (error) {
      assert.ok(error instanceof Killed, String(error));
      this.table.header[LOCK_WORD] = WORKER; // the dead do not unlock
      return true;
    } finally {
      t.mock.restoreAll();
    }
  }

  /** What the main thread does when it learns of it. */
  recoverLock(): void {
    const table = new BucketTable(this.#memory, 1);
    new Admission(table, new ReservationTable(this.#reservations), () => 1_000).recoverLock(WORKER);
    assert.equal(table.header[LOCK_WORD], 0);
  }
}

const amounts = { tokens: 400, nanoUsd: 900 };
const admitted = ({ admission, call }: Desk): void => {
  admission.admit(RECORD, call, amounts);
};
const attempted = (desk: Desk): void => {
  admitted(desk);
  desk.admission.admitAttempt(RECORD, desk.attempt);
};
const checked = (desk: Desk): void => {
  attempted(desk);
  desk.admission.checkpoint(RECORD, { tokens: 100, nanoUsd: 50 });
};

const operations: Readonly<Record<string, { before: (desk: Desk) => void; act: (desk: Desk) => void }>> = {
  admit: { before: () => {}, act: admitted },
  admitAttempt: { before: admitted, act: ({ admission, attempt }) => void admission.admitAttempt(RECORD, attempt) },
  releaseAttempt: {
    before: attempted,
    act: ({ admission }) => {
      admission.releaseAttempt(RECORD);
    },
  },
  checkpoint: {
    before: attempted,
    act: ({ admission }) => {
      admission.checkpoint(RECORD, { tokens: 256, nanoUsd: 300 });
    },
  },
  settle: {
    before: checked,
    act: ({ admission }) => {
      admission.settle(RECORD, { tokens: 333, nanoUsd: 700 });
    },
  },
};

for (const [name, { before, act }] of Object.entries(operations)) {
  test(`${name}: whenever its thread is killed, all of it has happened or nothing`, (t) => {
    const after = new Desk();
    before(after);
    const old = after.state;
    act(after);
    assert.notDeepEqual(after.state, old);
    let writes = 0;
    for (; ; writes++) {
      const desk = new Desk();
      before(desk);
      const wasKilled = desk.killAt(t, writes, () => {
        act(desk);
      });
      if (!wasKilled) break;
      desk.recoverLock();
      try {
        assert.deepEqual(desk.state, old);
      } catch {
        assert.deepEqual(desk.state, after.state, `killed before write ${writes}`);
      }
    }
    assert.ok(writes > 10, `${writes} writes`);
  });
}

test("a thread that is killed while it makes a bucket leaves none behind that nobody finds, or that is found twice", (t) => {
  const other = planned("monthlyTokens", "target");
  for (let writes = 0; ; writes++) {
    const memory = createBucketMemory(64);
    const table = new BucketTable(memory, WORKER);
    table.findOrCreate(planned("tokens", "consumer"), 0);
    let left = writes;
    const tick = (): void => {
      if (left-- === 0) throw new Killed();
    };
    for (const name of ["setWord", "setDouble"] as const) {
      const original = table[name].bind(table) as (...parameters: unknown[]) => void;
      t.mock.method(table, name, (...parameters: unknown[]) => {
        tick();
        original(...parameters);
      });
    }
    for (const name of ["store", "add"] as const) {
      const original = Atomics[name].bind(Atomics) as (...parameters: unknown[]) => number;
      t.mock.method(Atomics, name, (...parameters: unknown[]) => {
        tick();
        return original(...parameters);
      });
    }
    let wasKilled = false;
    try {
      table.findOrCreate(other, 0);
    } catch {
      wasKilled = true;
      table.header[LOCK_WORD] = WORKER;
    }
    t.mock.restoreAll();
    if (!wasKilled) {
      assert.ok(writes > 5);
      return;
    }
    const main = new BucketTable(memory, 1);
    const reservations = new ReservationTable(createReservationMemory(4));
    new Admission(main, reservations, () => 0).recoverLock(WORKER);
    const slot = main.findOrCreate(other, 0);
    assert.equal(main.find(other), slot);
    assert.equal(main.live, 2, `killed before write ${writes}`);
    const same = Array.from({ length: main.highWater }, (_, at) => at).filter((at) => main.isAt(at, other));
    assert.deepEqual(same, [slot], `killed before write ${writes}`);
  }
});
