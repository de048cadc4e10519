/**
 * Sluice's part of a gateway that shares limits, without the HTTP: buckets in shared memory, the lease keeper with Redis
 * on the main thread, and one worker thread that admits requests.
 */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createProcessLog } from "../../src/observability/log.ts";
import { createReservationMemory } from "../../src/quotas/reservation-table.ts";
import { QuotaMemory } from "../../src/server/quota-memory.ts";
import { SharedLimits } from "../../src/server/shared-limits.ts";
import type { Envelope, Reply } from "../protocol.ts";
import { MAX_RUNNING } from "./decision-loop.ts";
import type { MachineCommand } from "./protocol.ts";
import type { SluiceThreadStart } from "./sluice-thread.ts";

/** Starts it, and hands commands to its worker thread. */
export async function startSluiceMachine(redisPort: number): Promise<(command: MachineCommand) => Promise<unknown>> {
  const memory = new QuotaMemory();
  const reservations = createReservationMemory(MAX_RUNNING);
  memory.addWorker(reservations);
  const limits = new SharedLimits(
    {
      state: {
        redis: { kind: "server", nodes: [{ host: "127.0.0.1", port: redisPort }], database: 0 },
        timeoutMs: 50,
      },
      gateway: "bench",
      onLoss: "share",
      known: undefined,
      onMachines: () => {},
      table: memory.table,
      nameOf: (id) => `bench-${id}`,
    },
    createProcessLog({ level: "info" }),
  );
  const workerData = { buckets: memory.buckets, reservations } satisfies SluiceThreadStart;
  const worker = new Worker(join(import.meta.dirname, "sluice-thread.ts"), { workerData });
  await once(worker, "online");
  await limits.ready;
  let lastId = 0;
  return async (command) => {
    const id = ++lastId;
    const answered = once(worker, "message") as Promise<[Reply]>;
    worker.postMessage({ id, command } satisfies Envelope<MachineCommand>);
    const [reply] = await answered;
    if (reply.error !== undefined) {
      throw new Error(reply.error);
    }
    return reply.value;
  };
}
