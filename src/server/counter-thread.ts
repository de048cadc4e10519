/**
 * Entry of the thread that keeps monthly counters, and limits that were set at run time, in the embedded store: what
 * blocks on the disk blocks nobody else.
 */
import { parentPort, workerData } from "node:worker_threads";
import { NameTable } from "../lib/name-table.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { MonthRecorder } from "../quotas/month-recorder.ts";
import { oldestMonthInUse } from "../quotas/months.ts";
import { MachineStore } from "../quotas/machine-store.ts";
import type { CounterStart, FromCounter, OverrideWrite, ToCounter } from "./messages.ts";
import { STORE_OWNER } from "./quota-memory.ts";
import { messageOf } from "../lib/thrown.ts";

/** What was settled and not yet written when the process is killed is at most so old. */
const FLUSH_MS = 100;

const port = parentPort!;
const start = workerData as CounterStart;
const post = (message: FromCounter): void => {
  port.postMessage(message);
};

const names = new NameTable();
names.append(start.names);
const store = new MachineStore(start.path);
const recorder = new MonthRecorder(new BucketTable(start.buckets, STORE_OWNER), store, names, (alerts) => {
  post({ kind: "passed", alerts });
});
recorder.load(oldestMonthInUse(Date.now()));
let failing = false;

function flush(): void {
  try {
    recorder.flush();
    if (failing) {
      failing = false;
      post({ kind: "writes" });
    }
  } catch (error) {
    // said once; what could not be written is tried again with the next flush
    if (!failing) {
      failing = true;
      post({ kind: "writeFailed", message: messageOf(error) });
    }
  }
}

function sawMachines(count: number): void {
  try {
    store.sawMachines(count, Date.now());
  } catch {
    // a store that fails is told of by the counters; the next word of the machines tries again
  }
}

/** @returns why it could not be written */
function writeOverrides({ entries, forgotten }: OverrideWrite): string | undefined {
  try {
    store.writeOverrides(entries, forgotten);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

const timer = setInterval(flush, FLUSH_MS);

port.on("message", (message: ToCounter) => {
  switch (message.kind) {
    case "names":
      names.append(message.delta);
      recorder.restore();
      return;
    case "machines":
      sawMachines(message.count);
      return;
    case "overrides":
      post({ kind: "overrides", id: message.id, problem: writeOverrides(message) });
      return;
    case "stop":
      clearInterval(timer);
      flush();
      store.close();
      port.close();
  }
});
post({
  kind: "ready",
  known: { machineId: store.machineId, run: store.run, machines: store.machines },
  overrides: store.overrides(),
});
