/** What the bench reads from the gateway's `/metrics`: the names are agreed here, and nowhere else. */
export const SWAP_COUNT = "sluice_config_swaps_total";
/** Seconds that the last swap took of the main thread. */
export const SWAP_MAIN_SECONDS = "sluice_config_swap_main_seconds";
/** Longest event-loop delay of any worker during the last swap, seconds. */
export const SWAP_WORKER_DELAY_SECONDS = "sluice_config_swap_worker_eventloop_delay_seconds";

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
