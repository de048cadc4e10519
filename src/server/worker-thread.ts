/** Entry of a worker thread: compiles snapshots into engines and serves requests with the newest. */
import { parentPort, workerData } from "node:worker_threads";
import { Cooldowns } from "../balancing/cooldowns.ts";
import { DirectoryReader } from "../directory/reader.ts";
import { BodyBudget } from "../engine/body-budget.ts";
import { compileEngine, type CompileServices } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Exchange } from "../engine/exchange.ts";
import { handleRequest } from "../engine/handle.ts";
import { EngineLease } from "../engine/lease.ts";
import { wordIds } from "../engine/names.ts";
import { Policies } from "../engine/policy.ts";
import type { Services } from "../engine/services.ts";
import { UsageWriter } from "../ledger/usage-writer.ts";
import { SluiceError } from "../lib/errors.ts";
import { NameTable } from "../lib/name-table.ts";
import { newestInTurn } from "../lib/newest-in-turn.ts";
import { sharedNowMs } from "../lib/shared-clock.ts";
import { DeadlineTicker } from "../lib/timer.ts";
import { QuotaPlans } from "../engine/quota-plan.ts";
import { Admission } from "../quotas/admission.ts";
import { BucketTable } from "../quotas/bucket-table.ts";
import { LimitOverrides } from "../quotas/overrides/limit-overrides.ts";
import { ReservationTable } from "../quotas/reservation-table.ts";
import { TokenCorrection } from "../quotas/token-correction.ts";
import { Origins } from "../upstreams/origins.ts";
import { LAST_EVENT_MS } from "./last-event.ts";
import { bodyMemoryBytes } from "./body-memory.ts";
import { Listener } from "./listener.ts";
import type { FromWorker, SharedSnapshot, ToWorker, WorkerStart } from "./messages.ts";
import { bucketOwner } from "./quota-memory.ts";
import { runInSlices } from "../lib/slices.ts";
import { decodeSnapshot } from "./snapshot-parts.ts";
import { messageOf, stackOf } from "../lib/thrown.ts";

/** A compile gives way to requests after about this long. */
const COMPILE_SLICE_MS = 1;
const HEARTBEAT_CHECK_MS = 1_000;
const DRAIN_CHECK_MS = 50;
const DELAY_PROBE_MS = 20;
const DELAY_REPORT_MS = 1_000;
/** Another machine, or this one once it is back, may serve. */
const RETRY_ELSEWHERE_MS = 1_000;
/** Answers that are ended by force get this long to reach their clients before the thread ends. */
const LAST_ANSWERS_MS = 2 * LAST_EVENT_MS;

const port = parentPort!;
const start = workerData as WorkerStart;
const post = (message: FromWorker): void => {
  port.postMessage(message);
};

const names = new NameTable();
names.append(start.names);
const policies = new Policies(names);
const overrides = new LimitOverrides();
overrides.take(start.overrides);
const exchanges = new Set<Exchange>();
const origins = new Origins();
let lease: EngineLease | undefined;
let draining = false;

const services: Services = {
  usage: new UsageWriter(start.usage),
  directory: new DirectoryReader(start.directory),
  cooldowns: new Cooldowns(start.cooldowns),
  quotas: {
    admission: new Admission(
      new BucketTable(start.buckets, bucketOwner(start.index)),
      new ReservationTable(start.reservations),
      sharedNowMs,
    ),
    plans: new QuotaPlans(overrides),
    correction: new TokenCorrection(start.tokenCorrection),
  },
  name: (id) => names.name(id),
  deadlines: new DeadlineTicker(),
  bodies: new BodyBudget(bodyMemoryBytes(start.server)),
  answers: new BodyBudget(bodyMemoryBytes(start.server)),
  ids: wordIds(start.gateway, (name) => names.find(name)),
  log: {
    error(details, message) {
      const cause = "err" in details ? details.err : undefined;
      post({ kind: "fault", message, stack: stackOf(cause) });
    },
  },
  streams: new Set(),
  policy: (id) => policies.get(id),
  draining: () => draining,
  ended(exchange) {
    exchanges.delete(exchange);
  },
};
const compileServices: CompileServices = { nameId: (name) => names.find(name), origins };

const listener = new Listener(start.server, (request, response) => {
  const exchange = handleRequest(request, response, lease!, services);
  if (exchange !== undefined && !exchange.ended) {
    exchanges.add(exchange);
  }
  return exchange;
});

async function compile(snapshot: SharedSnapshot): Promise<void> {
  try {
    const run = await runInSlices(compileShared(snapshot), COMPILE_SLICE_MS);
    const old = lease;
    lease = new EngineLease(run.result);
    old?.retire();
    post({
      kind: "swapped",
      version: snapshot.version,
      durationMs: run.durationMs,
      longestSliceMs: run.longestSliceMs,
    });
  } catch (error) {
    post({
      kind: "swapFailed",
      version: snapshot.version,
      message: messageOf(error),
    });
  }
}

function* compileShared(snapshot: SharedSnapshot): Generator<undefined, Engine> {
  const decoded = yield* decodeSnapshot(snapshot.parts);
  listener.renewTls(decoded.server.tls);
  return yield* compileEngine(decoded, compileServices);
}

/** Compiles the newest snapshot last, whatever comes while another is compiled: also while the first one is. */
const take = newestInTurn(compile);

/** Lets exchanges end; tells those that have not by the end of the time, then ends them with their connections. */
function drain(timeoutMs: number): void {
  draining = true;
  listener.stopAccepting();
  let state: "draining" | "telling" | "ending" = "draining";
  let deadline = performance.now() + timeoutMs;
  const check = setInterval(() => {
    listener.closeIdle();
    if (exchanges.size > 0 && performance.now() < deadline) {
      return;
    }
    if (exchanges.size > 0 && state === "draining") {
      state = "telling";
      deadline = performance.now() + LAST_ANSWERS_MS;
      failAll(
        new SluiceError("shutting_down", "The gateway is shutting down; send the request again.", {
          retryAfterMs: RETRY_ELSEWHERE_MS,
        }),
      );
      return;
    }
    if (exchanges.size > 0) {
      listener.destroy();
    }
    if (state !== "ending") {
      // until the next look what was written last leaves (of HTTP/2, that is after the end), and entries are closed
      state = "ending";
      return;
    }
    clearInterval(check);
    listener.destroy();
    post({ kind: "drained" });
  }, DRAIN_CHECK_MS);
}

function failAll(error: SluiceError): void {
  for (const exchange of exchanges) {
    exchange.sendError(error);
  }
}

async function listen(message: Extract<ToWorker, { kind: "listen" }>): Promise<void> {
  try {
    post({ kind: "listening", port: await listener.listen(message.listen, start.reusePort) });
  } catch (error) {
    const { code = "", message: text } = error as NodeJS.ErrnoException;
    post({ kind: "listenFailed", message: text, code });
  }
}

port.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "names":
      names.append(message.delta);
      post({ kind: "names", size: names.size });
      return;
    case "directory":
      services.directory.attach(message.handle);
      return;
    case "overrides":
      overrides.take(message.changes);
      post({ kind: "overrides", id: message.id });
      return;
    case "snapshot":
      void take(message.snapshot);
      return;
    case "listen":
      void listen(message);
      return;
    case "drain":
      drain(message.timeoutMs);
  }
});

process.on("uncaughtException", (error) => {
  post({ kind: "fault", message: "a worker failed and is replaced", stack: error.stack ?? error.message });
  draining = true;
  listener.stopAccepting();
  failAll(new SluiceError("internal_error", "The gateway failed while it handled this request."));
  setTimeout(() => process.exit(1), LAST_ANSWERS_MS);
});

setInterval(() => {
  const silentSince = performance.now() - (lease?.engine.heartbeatMs ?? Infinity);
  for (const exchange of services.streams) {
    if (exchange.lastWriteAt < silentSince) {
      exchange.heartbeat();
    }
  }
}, HEARTBEAT_CHECK_MS).unref();

/** How late a timer fires is how long the event loop was held. */
let longestDelayMs = 0;
let dueAt = performance.now() + DELAY_PROBE_MS;
setInterval(() => {
  const now = performance.now();
  longestDelayMs = Math.max(longestDelayMs, now - dueAt);
  dueAt = now + DELAY_PROBE_MS;
}, DELAY_PROBE_MS).unref();
setInterval(() => {
  post({ kind: "delay", maxMs: longestDelayMs });
  longestDelayMs = 0;
}, DELAY_REPORT_MS).unref();

await take(start.snapshot);
if (lease === undefined) {
  throw new Error("the configuration that this worker was started with does not compile");
}
post({ kind: "ready" });
