/** The thread that admits requests in a Sluice machine of the bench, as a gateway's worker does. */
import { parentPort, workerData } from "node:worker_threads";
import { sharedNowMs } from "../../src/lib/shared-clock.ts";
import { Admission } from "../../src/quotas/admission.ts";
import { BucketTable } from "../../src/quotas/bucket-table.ts";
import { admitOrWait } from "../../src/quotas/lease-wait.ts";
import { planBuckets } from "../../src/quotas/plan.ts";
import { ReservationTable } from "../../src/quotas/reservation-table.ts";
import { bucketOwner } from "../../src/server/quota-memory.ts";
import type { Envelope, Reply } from "../protocol.ts";
import { loopServer, RESERVED_TOKENS, USED_TOKENS, type Limiter } from "./decision-loop.ts";
import type { MachineCommand, SharedLimit } from "./protocol.ts";

/** What the thread is started with. */
export interface SluiceThreadStart {
  readonly buckets: SharedArrayBuffer;
  readonly reservations: SharedArrayBuffer;
}

const MINUTE_SECONDS = 60;
const port = parentPort!;
const start = workerData as SluiceThreadStart;
const admission = new Admission(
  new BucketTable(start.buckets, bucketOwner(0)),
  new ReservationTable(start.reservations),
  sharedNowMs,
);

function limiterOf({ id, requests, tokens, windowSeconds, burstSeconds }: SharedLimit): Limiter {
  const minutes = windowSeconds / MINUTE_SECONDS;
  const buckets = planBuckets([
    {
      subject: { type: "consumer", first: id, second: 0, third: 0 },
      limits: {
        rpm: requests / minutes,
        ...(tokens !== undefined && { tpm: tokens / minutes }),
        burstMs: burstSeconds * 1_000,
        mode: "hard",
      },
      month: 0,
    },
  ]);
  const reserved = { tokens: RESERVED_TOKENS, nanoUsd: 0 };
  const used = { tokens: USED_TOKENS, nanoUsd: 0 };
  return {
    decide(slot, then) {
      admitOrWait(
        admission,
        slot,
        () => buckets,
        reserved,
        (refusal) => {
          then(refusal === undefined ? "admitted" : "refused");
        },
      );
    },
    end(slot) {
      admission.settle(slot, used);
    },
  };
}

const handle = loopServer(limiterOf);
port.on("message", ({ id, command }: Envelope<MachineCommand>) => {
  handle(command).then(
    (value) => port.postMessage({ id, value } satisfies Reply),
    (error: unknown) => port.postMessage({ id, error: String(error) } satisfies Reply),
  );
});
