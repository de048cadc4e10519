/** What makes limits count on several machines: the authority of `state`, its keeper, and what is said of them. */
import { randomUUID } from "node:crypto";
import type { QuotasConfig, StateConfig } from "../config/snapshot.ts";
import type { ProcessLog } from "../observability/log.ts";
import type { MetricSource } from "../observability/prometheus.ts";
import type { AuthorityState } from "../quotas/authority/authority.ts";
import { LeaseKeeper } from "../quotas/authority/lease-keeper.ts";
import { type Claim, LEASE_MS, RedisAuthority } from "../quotas/authority/redis-authority.ts";
import type { RedisScript } from "../quotas/authority/redis-connection.ts";
import type { BucketTable } from "../quotas/bucket-table.ts";
import type { BudgetAlert } from "../quotas/budget-alerts.ts";
import type { KnownMachines } from "./messages.ts";

/** No request waits for such a call, so that its answer may take longer than that about a lease. */
const CALL_PATIENCE_MS = 1_000;

type LossRule = QuotasConfig["onAuthorityLoss"];

const RULES: Readonly<Record<LossRule, string>> = {
  share: "what it has leased, then its share of each limit (the limit divided by the machines)",
  open: "everything",
  closed: "what it has leased, then nothing that is limited",
};

/** Alerts that wait to be claimed; more are told by other machines, too. */
const MAX_UNCLAIMED = 1_000;
/** A script blocks Redis while it runs. */
const CLAIMS_A_CALL = 100;

/** What limits are shared with. */
export interface SharedLimitsOptions {
  readonly state: StateConfig;
  readonly gateway: string;
  readonly onLoss: LossRule;
  /** What the store knows of machines; undefined where there is no store. */
  readonly known: KnownMachines | undefined;
  /** Told how many machines share, every two seconds or so. */
  readonly onMachines: (count: number) => void;
  readonly table: BucketTable;
  readonly nameOf: (id: number) => string;
}

/** The machine's part in shared limits. */
export class SharedLimits {
  readonly #keeper: LeaseKeeper;
  #authority: RedisAuthority | undefined;
  /** Told while the authority did not answer. */
  #unclaimed: BudgetAlert[] = [];
  readonly #log: ProcessLog;
  #onLoss: LossRule;

  constructor(options: SharedLimitsOptions, log: ProcessLog) {
    const { state, gateway, onLoss, known, onMachines, table, nameOf } = options;
    this.#log = log;
    this.#onLoss = onLoss;
    const machine = known?.machineId ?? randomUUID();
    const run = known?.run ?? 0;
    const machinesBefore = known?.machines ?? 1;
    this.#keeper = new LeaseKeeper({
      table,
      nameOf,
      onLoss,
      leaseMs: LEASE_MS,
      connect: (tellKeeper) => {
        const onState = (next: AuthorityState): void => {
          if (next.state === "ok") {
            void this.#claimLate(); // before the others hear of what was used meanwhile
          }
          tellKeeper(next);
          this.#say(next);
        };
        this.#authority = new RedisAuthority({
          config: state,
          gateway,
          machine,
          run,
          machinesBefore,
          onState,
          onMachines,
        });
        return this.#authority;
      },
    });
  }

  /** Runs a script about other things than leases. Rejects where Redis is not well, or does not answer. */
  readonly call = (script: RedisScript, key: string, args: readonly string[]): Promise<unknown> =>
    this.#authority!.call(script, key, args, CALL_PATIENCE_MS);

  /** Resolves when it is known whether the authority answers: after some 3 seconds at the latest. */
  get ready(): Promise<void> {
    return this.#keeper.ready;
  }

  /** `quotas.onAuthorityLoss` as it is from now on. */
  setLossRule(rule: LossRule): void {
    this.#onLoss = rule;
    this.#keeper.setLossRule(rule);
  }

  /** Of alerts those that this machine is to tell: each is told by one of all machines, or if need be by several. */
  async claim(alerts: readonly BudgetAlert[]): Promise<readonly BudgetAlert[]> {
    const mine: BudgetAlert[] = [];
    for (let from = 0; from < alerts.length; from += CLAIMS_A_CALL) {
      const some = alerts.slice(from, from + CLAIMS_A_CALL);
      try {
        const isMine = await this.#authority!.claim(some.map(claimOf));
        mine.push(...some.filter((_, index) => isMine[index]));
      } catch {
        // why is told by the authority's state
        mine.push(...some);
        this.#unclaimed.push(...some.slice(0, MAX_UNCLAIMED - this.#unclaimed.length));
      }
    }
    return mine;
  }

  async #claimLate(): Promise<void> {
    await this.claim(this.#unclaimed.splice(0));
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

function claimOf({ month, kind, limit, percent, subject }: BudgetAlert): Claim {
  return { month, thing: `alert ${percent} ${kind} ${limit} ${subject}` };
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
