/** What makes limits count on several machines: the authority of `state`, its keeper, and what is said of them. */
import { randomUUID } from "node:crypto";
import type { QuotasConfig, StateConfig } from "../config/snapshot.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import type { AuthorityState } from "../quotas/authority/authority.ts";
import { LeaseKeeper } from "../quotas/authority/lease-keeper.ts";
import { LEASE_MS, RedisAuthority } from "../quotas/authority/redis-authority.ts";
import type { RedisScript } from "../quotas/authority/redis-connection.ts";
import type { BucketTable } from "../quotas/bucket-table.ts";

/** No request waits for such a call, so that its answer may take longer than that about a lease. */
const CALL_PATIENCE_MS = 1_000;

type LossRule = QuotasConfig["onAuthorityLoss"];

const RULES: Readonly<Record<LossRule, string>> = {
  share: "what it has leased, then its share of each limit (the limit divided by the machines)",
  open: "everything",
  closed: "what it has leased, then nothing that is limited",
};

/** What limits are shared with. */
export interface SharedLimitsOptions {
  readonly state: StateConfig;
  readonly gateway: string;
  readonly onLoss: LossRule;
  /** The machine's name that its store keeps; undefined where there is no store. */
  readonly machineId: string | undefined;
  readonly table: BucketTable;
  readonly nameOf: (id: number) => string;
}

/** The machine's part in shared limits. */
export class SharedLimits {
  readonly #keeper: LeaseKeeper;
  readonly #authority: RedisAuthority;
  readonly #log: ProcessLog;
  #onLoss: LossRule;

  constructor({ state, gateway, onLoss, machineId, table, nameOf }: SharedLimitsOptions, log: ProcessLog) {
    this.#log = log;
    this.#onLoss = onLoss;
    const machine = machineId ?? randomUUID();
    const made: { authority?: RedisAuthority } = {};
    this.#keeper = new LeaseKeeper({
      table,
      nameOf,
      onLoss,
      leaseMs: LEASE_MS,
      connect: (tellKeeper) =>
        (made.authority = new RedisAuthority({
          config: state,
          gateway,
          machine,
          onState: (next) => {
            tellKeeper(next);
            this.#say(next);
          },
        })),
    });
    this.#authority = made.authority!;
  }

  /** Runs a script about other things than leases. Rejects where Redis is not well, or does not answer. */
  readonly call = (script: RedisScript, key: string, args: readonly string[]): Promise<unknown> =>
    this.#authority.call(script, key, args, CALL_PATIENCE_MS);

  /** Resolves when it is known whether the authority answers: after some 3 seconds at the latest. */
  get ready(): Promise<void> {
    return this.#keeper.ready;
  }

  /** `quotas.onAuthorityLoss` as it is from now on. */
  setLossRule(rule: LossRule): void {
    this.#onLoss = rule;
    this.#keeper.setLossRule(rule);
  }

  /** Gives all leases back and disconnects. Call it when no request runs any more. */
  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  readonly metrics: MetricSource = () => sharedLimitsMetrics(this.#keeper.counts);

  #say(state: AuthorityState): void {
    if (state.state === "ok") {
      this.#log.info("limits are shared with the other machines");
    } else {
      const rule = `Until it is well again this machine admits ${RULES[this.#onLoss]} (quotas.onAuthorityLoss).`;
      this.#log.warn({ reason: state.reason }, `limits are not shared: ${state.message} ${rule}`);
    }
  }
}

/** Without values where no limits are shared. */
export function sharedLimitsMetrics(counts: LeaseKeeper["counts"] | undefined): ReturnType<MetricSource> {
  const value = (pick: (known: LeaseKeeper["counts"]) => number) =>
    counts === undefined ? [] : [{ value: pick(counts) }];
  return [
    {
      name: "sluice_quota_authority_up",
      help: "1 while limits are shared with other machines, 0 while what they are shared by does not answer.",
      type: "gauge",
      samples: value(({ isUp }) => (isUp ? 1 : 0)),
    },
    {
      name: "sluice_quota_leased_limits",
      help: "Limits that this machine holds leases of, or did a moment ago.",
      type: "gauge",
      samples: value(({ buckets }) => buckets),
    },
    {
      name: "sluice_quota_exchanges_total",
      help: "Times that a limit was told what was used of it and asked for more; many limits share a command.",
      type: "counter",
      samples: value(({ exchanges }) => exchanges),
    },
    {
      name: "sluice_quota_exchange_failures_total",
      help: "Of them, those without an answer.",
      type: "counter",
      samples: value(({ failures }) => failures),
    },
    {
      name: "sluice_quota_lease_refusals_total",
      help: "Of them, those that brought nothing for requests that waited: the limit was reached.",
      type: "counter",
      samples: value(({ shortages }) => shortages),
    },
  ];
}
