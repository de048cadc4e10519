/** What the bench reads from the gateway's `/metrics`: the names are agreed here, and nowhere else. */
export const LOADS = "sluice_config_loads_total";
/** Time to read, check and publish the newest configuration, on a thread of its own. */
export const LOAD_SECONDS = "sluice_config_load_duration_seconds";
/** Time the slowest worker took to go over to it, between requests; 0 until all have. */
export const SWAP_SECONDS = "sluice_config_swap_duration_seconds";
/** Longest time that this held a worker's event loop. */
export const SWAP_SLICE_SECONDS = "sluice_config_swap_longest_slice_seconds";
/** Longest delay of each worker's event loop in the last second. */
export const WORKER_DELAY_SECONDS = "sluice_worker_event_loop_delay_seconds";
/** Longest delay of the main thread's event loop since the last scrape. */
export const MAIN_DELAY_SECONDS = "sluice_main_event_loop_delay_seconds";

/** Reads the gateway's metrics: the largest value of each name, whatever its labels. */
export async function readMetrics(adminPort: number): Promise<Map<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const values = new Map<string, number>();
  for (const line of (await answer.text()).split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line);
    if (match !== null) {
      const [, name = "", text = ""] = match;
      values.set(name, Math.max(values.get(name) ?? Number.NEGATIVE_INFINITY, Number(text)));
    }
  }
  return values;
}
