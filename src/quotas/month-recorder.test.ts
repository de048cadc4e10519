import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { NameTable } from "../lib/name-table.ts";
import { Admission, type PlannedBucket } from "./admission.ts";
import { KIND, bucketKey } from "./bucket.ts";
import { createBucketMemory, DOUBLE } from "./bucket-layout.ts";
import { BucketTable } from "./bucket-table.ts";
import { MonthRecorder } from "./month-recorder.ts";
import { MachineStore, StoreError } from "./machine-store.ts";
import { createReservationMemory, ReservationTable } from "./reservation-table.ts";

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-months-"));
  context.after(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

interface Machine {
  readonly recorder: MonthRecorder;
  readonly admission: Admission;
  readonly table: BucketTable;
  readonly bucket: PlannedBucket;
}

/** A process as it starts: memory is empty, the store is not. */
function machine(
  store: MachineStore,
  names: NameTable,
  onPassed?: ConstructorParameters<typeof MonthRecorder>[3],
): Machine {
  const table = new BucketTable(createBucketMemory(64), 1);
  const admission = new Admission(table, new ReservationTable(createReservationMemory(8)), () => 0);
  const subject = { type: "grant", first: names.id("search"), second: names.id("index/72b"), third: 0 } as const;
  const bucket = {
    ...bucketKey(subject, KIND.monthlyTokens, 202_611),
    kind: KIND.monthlyTokens,
    limit: 1_000,
    capacity: 1_000,
    ratePerMs: 0,
    slot: -1,
  };
  return { recorder: new MonthRecorder(table, store, names, onPassed), admission, table, bucket };
}

test("what was used in the month is there after a restart, whatever ids names have then", (context) => {
  const path = join(folder(context), "data", "sluice.db");
  const first = new MachineStore(path);
  const before = machine(first, new NameTable());
  before.recorder.load(202_611);
  before.admission.admit(0, [before.bucket], { tokens: 700, nanoUsd: 0 });
  before.admission.checkpoint(0, { tokens: 300, nanoUsd: 0 });
  assert.equal(before.recorder.flush(), 1);
  assert.equal(before.recorder.flush(), 0);
  const { machineId } = first;
  first.close();

  const second = new MachineStore(path);
  assert.equal(second.machineId, machineId);
  const names = new NameTable();
  names.id("something else");
  const after = machine(second, names);
  after.recorder.load(202_611);
  assert.equal(after.admission.admit(0, [after.bucket], { tokens: 701, nanoUsd: 0 })?.reason, "full");
  assert.equal(
    after.table.double(after.bucket.slot, DOUBLE.used),
    300,
    "the reservation is charged at its last checkpoint",
  );
  second.close();
});

test("a subject that the configuration names only later gets its counter then", (context) => {
  const path = join(folder(context), "sluice.db");
  const store = new MachineStore(path);
  store.write([{ subject: "grant:search/index%2F72b", kind: "monthlyTokens", month: 202_611, used: 40 }]);
  const names = new NameTable();
  const table = new BucketTable(createBucketMemory(64), 1);
  const recorder = new MonthRecorder(table, store, names);
  recorder.load(202_611);
  assert.equal(table.live, 0);
  const subject = { type: "grant", first: names.id("search"), second: names.id("index/72b"), third: 0 } as const;
  table.lock.lock();
  const slot = table.findOrCreate(bucketKey(subject, KIND.monthlyTokens, 202_611), 0);
  table.lock.unlock();
  table.setDouble(slot, DOUBLE.used, 2);
  assert.equal(recorder.flush(), 1);
  assert.equal(table.double(slot, DOUBLE.used), 42);
  assert.deepEqual(
    store.since(202_611).map(({ used }) => used),
    [42],
  );
  store.close();
});

test("how many machines there are is kept: more at once, fewer only when a day has shown no more", (context) => {
  const path = join(folder(context), "sluice.db");
  const hourMs = 3_600_000;
  let now = 1_764_000_000_000;
  const seen = (...counts: number[]): number => {
    const store = new MachineStore(path);
    for (const count of counts) store.sawMachines(count, now);
    store.close();
    const again = new MachineStore(path);
    const { machines } = again;
    again.close();
    return machines;
  };
  assert.equal(seen(), 1);
  assert.equal(seen(1, 2, 5), 5);
  assert.equal(seen(4, 3, 2, 1), 5, "they are stopped one after the other");
  now += 23 * hourMs;
  assert.equal(seen(5), 5);
  now += 23 * hourMs;
  assert.equal(seen(2), 5);
  now += 2 * hourMs;
  assert.equal(seen(2), 2);
  now -= 400 * hourMs;
  assert.equal(seen(1), 1, "a clock that was set back does not keep it for ever");
});

test("a second process that would count in the same file is refused, and told what to do", (context) => {
  const path = join(folder(context), "sluice.db");
  const store = new MachineStore(path);
  assert.throws(
    () => new MachineStore(path),
    (error) => error instanceof StoreError && /file of its own/.test(error.message),
  );
  store.close();
  new MachineStore(path).close();
});

test("a file that is no database, and a folder that may not be written, are named with their remedy", (context) => {
  const path = folder(context);
  writeFileSync(join(path, "text.db"), "this is no database, whatever its name says ".repeat(50));
  assert.throws(() => new MachineStore(join(path, "text.db")), /damaged or no SQLite database/);
  assert.throws(() => new MachineStore(join(path, "text.db", "sluice.db")), StoreError);
  if (process.getuid?.() !== 0) {
    chmodSync(path, 0o500);
    assert.throws(() => new MachineStore(join(path, "new", "sluice.db")), StoreError);
    chmodSync(path, 0o700);
  }
});

test("a full disk loses nothing: what could not be written is written when there is room again", (context) => {
  const path = join(folder(context), "sluice.db");
  const store = new MachineStore(path);
  const { recorder, admission, bucket } = machine(store, new NameTable());
  recorder.load(202_611);
  let full = true;
  const write = store.write.bind(store);
  store.write = (rows) => {
    if (full) {
      throw new StoreError("monthly counters cannot be written: the disk is full");
    }
    write(rows);
  };
  admission.admit(0, [bucket], { tokens: 5, nanoUsd: 0 });
  admission.settle(0, { tokens: 5, nanoUsd: 0 });
  assert.throws(() => recorder.flush(), StoreError);
  full = false;
  assert.equal(recorder.flush(), 1);
  assert.deepEqual(
    store.since(0).map(({ used }) => used),
    [5],
  );
  store.close();
});

test("a clock that was ahead when the process started overwrites nothing of the month that it goes back to", (context) => {
  const store = new MachineStore(join(folder(context), "sluice.db"));
  context.after(() => {
    store.close();
  });
  const october = { subject: "consumer:search", kind: "monthlyTokens", month: 202_610, used: 7 } as const;
  store.write([{ subject: "grant:search/index%2F72b", kind: "monthlyTokens", month: 202_611, used: 700 }, october]);
  const { recorder, admission, bucket, table } = machine(store, new NameTable());
  recorder.load(202_612);
  admission.admit(0, [bucket], { tokens: 5, nanoUsd: 0 });
  admission.settle(0, { tokens: 5, nanoUsd: 0 });
  recorder.flush();
  assert.equal(table.double(bucket.slot, DOUBLE.used), 705);
  assert.deepEqual(
    store.since(0).map(({ month, used }) => [month, used]),
    [
      [202_610, 7],
      [202_611, 705],
    ],
  );
  assert.equal(table.live, 1, "October is not needed");
  assert.equal(admission.admit(0, [bucket], { tokens: 296, nanoUsd: 0 })?.reason, "full");
});

test("rows that a later version wrote are left alone", (context) => {
  const path = join(folder(context), "sluice.db");
  const store = new MachineStore(path);
  const rows = ["team:search", "consumer:%E0%A4%A", "consumer", ""].map((subject) => ({
    ...{ subject, kind: "monthlyTokens" as const, month: 202_611, used: 7 },
  }));
  const other = { subject: "consumer:search", kind: "monthlyRequests" as "monthlyUsd", month: 202_611, used: 7 };
  store.write([...rows, other]);
  const names = new NameTable();
  for (const name of ["search", "team"]) names.id(name);
  const { recorder, admission, bucket } = machine(store, names);
  recorder.load(202_611);
  admission.admit(0, [bucket], { tokens: 5, nanoUsd: 0 });
  admission.settle(0, { tokens: 5, nanoUsd: 0 });
  assert.equal(recorder.flush(), 1);
  assert.deepEqual(
    store
      .since(0)
      .map(({ used }) => used)
      .toSorted(),
    [5, 7, 7, 7, 7, 7],
  );
  store.close();
});

test("absurd counters are kept as far as they can be counted, and hinder neither others nor the next start", (context) => {
  const path = join(folder(context), "sluice.db");
  const kind = "monthlyTokens";
  const row = (used: number, index: number) => ({ subject: `consumer:c${index}`, kind, month: 202_611, used }) as const;
  const store = new MachineStore(path);
  store.write([1e17, 2 ** 53 + 2, 1e300, Infinity, Number.NaN, -5, 12].map(row));
  store.close();
  const again = new MachineStore(path);
  const most = Number.MAX_SAFE_INTEGER;
  assert.deepEqual(
    again.since(0).map(({ used }) => used),
    [most, most, most, most, 0, 12],
  );
  again.close();
});

test("kill -9 in the midst of writing leaves the last commit", { timeout: 30_000 }, async (context) => {
  const path = join(folder(context), "sluice.db");
  const seen = `${path}.seen`;
  const script = `
    import { writeFileSync } from "node:fs";
    import { MachineStore } from ${JSON.stringify(new URL("machine-store.ts", import.meta.url).href)};
    const store = new MachineStore(${JSON.stringify(path)});
    for (let used = 1; ; used++) {
      store.write([{ subject: "consumer:a", kind: "monthlyUsd", month: 202611, used }]);
      writeFileSync(${JSON.stringify(seen)}, String(used));
      if (used === 20) process.stdout.write("go");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  const store = new MachineStore(path);
  const written = store.since(0)[0]!.used;
  assert.ok(written >= Number(readFileSync(seen, "utf8") || "0"), `${written} of ${readFileSync(seen, "utf8")}`);
  store.close();
});

test("a budget that passes its parts is told of once, also over a restart, and also while the store fails", (context) => {
  const path = join(folder(context), "sluice.db");
  const told: string[] = [];
  const start = (store: MachineStore): Machine => {
    const made = machine(store, new NameTable(), (alerts) => {
      told.push(...alerts.map(({ subject, percent, used }) => `${subject} ${percent} ${used}`));
    });
    made.recorder.load(202_611);
    return made;
  };
  const use = ({ admission, bucket }: Machine, tokens: number): void => {
    assert.equal(admission.admit(0, [bucket], { tokens: 0, nanoUsd: 0 }), undefined);
    admission.settle(0, { tokens, nanoUsd: 0 });
  };
  const first = new MachineStore(path);
  const before = start(first);
  use(before, 799);
  before.recorder.flush();
  assert.deepEqual(told, []);
  use(before, 1);
  const store = { write: first.write.bind(first) };
  context.mock.method(first, "write", () => {
    throw new StoreError("the disk is full");
  });
  assert.throws(() => before.recorder.flush(), StoreError);
  assert.throws(() => before.recorder.flush(), StoreError);
  assert.deepEqual(told.splice(0), ["grant:search/index%2F72b 80 800"]);
  context.mock.method(first, "write", store.write);
  before.recorder.flush();
  first.close();

  const second = new MachineStore(path);
  context.after(() => {
    second.close();
  });
  const after = start(second);
  use(after, 50);
  after.recorder.flush();
  assert.deepEqual(told, []);
  use(after, 200);
  after.recorder.flush();
  assert.deepEqual(told, ["grant:search/index%2F72b 100 1050"]);
});
