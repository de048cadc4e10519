import { INTEGER_FIELD } from "../ledger/usage-layout.ts";
import type { UsageCollector } from "../ledger/usage-collector.ts";
import type { NameTable } from "../lib/name-table.ts";
import type { MetricFamily, MetricSample, MetricSource } from "./prometheus.ts";

/** Open requests are told apart by these; how many combinations are open at once is bounded by the slots. */
const IN_FLIGHT_FIELDS = [
  ["gateway", INTEGER_FIELD.gateway],
  ["domain", INTEGER_FIELD.domain],
  ["model", INTEGER_FIELD.model],
  ["provider", INTEGER_FIELD.provider],
] as const;
const MAX_IN_FLIGHT_SERIES = 1_000;

/** Gauges read from the workers' usage tables at a scrape: what is open now, and how full the tables are. */
export function ledgerMetrics(collector: UsageCollector, names: NameTable): MetricSource {
  return () => [inFlight(collector, names), ...slots(collector)];
}

function inFlight(collector: UsageCollector, names: NameTable): MetricFamily {
  const counts = new Map<string, { ids: readonly number[]; count: number }>();
  collector.visitOpen((record) => {
    const ids = IN_FLIGHT_FIELDS.map(([, field]) => record.integer(field));
    const key = ids.join();
    const known = counts.get(key);
    if (known !== undefined) known.count++;
    else if (counts.size < MAX_IN_FLIGHT_SERIES) counts.set(key, { ids, count: 1 });
    else countOther(counts);
  });
  const samples: MetricSample[] = Array.from(counts.values(), ({ ids, count }) => ({
    labels: Object.fromEntries(IN_FLIGHT_FIELDS.map(([label], column) => [label, labelText(names, ids[column])])),
    value: count,
  }));
  return { name: "sluice_requests_in_flight", help: "Requests open now.", type: "gauge", samples };
}

function countOther(counts: Map<string, { ids: readonly number[]; count: number }>): void {
  const other = counts.get("other");
  if (other === undefined) counts.set("other", { ids: [], count: 1 });
  else other.count++;
}

function labelText(names: NameTable, id: number | undefined): string {
  return id === undefined ? "other" : names.name(id);
}

function slots(collector: UsageCollector): MetricFamily[] {
  const states = collector.states();
  const samples = (value: (state: (typeof states)[number]) => number): MetricSample[] =>
    states.map((state, worker) => ({ labels: { worker: String(worker) }, value: value(state) }));
  return [
    {
      name: "sluice_ledger_slots",
      help: "Slots for requests that are open or not yet read from the worker.",
      type: "gauge",
      samples: samples((state) => state.slots),
    },
    {
      name: "sluice_ledger_slots_in_use",
      help: "Slots taken.",
      type: "gauge",
      samples: samples((state) => state.slotsInUse),
    },
    {
      name: "sluice_ledger_rejected_total",
      help: "Requests refused because no slot was free.",
      type: "counter",
      samples: samples((state) => state.rejected),
    },
  ];
}
