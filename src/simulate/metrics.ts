/** The simulator's `/metrics`, under the names that vLLM gives them (its Production Metrics page). */
import type { SimulatedEngine } from "./engine.ts";
import type { PrefixCache } from "./prefix-cache.ts";
import type { StatsKeeper } from "./stats.ts";

export function encodeMetrics(model: string, engine: SimulatedEngine, cache: PrefixCache, stats: StatsKeeper): string {
  const labels = `{engine="0",model_name="${model}"}`;
  const lines: string[] = [];
  const add = (type: "gauge" | "counter", name: string, value: number, help: string): void => {
    const sample = type === "counter" ? `${name}_total` : name;
    lines.push(`# HELP ${sample} ${help}`, `# TYPE ${sample} ${type}`, `${sample}${labels} ${value}`);
  };
  add("gauge", "vllm:num_requests_running", engine.running, "Number of requests in model execution batches.");
  add("gauge", "vllm:num_requests_waiting", engine.waiting, "Number of requests waiting to be processed.");
  add("gauge", "vllm:kv_cache_usage_perc", cache.fill, "KV-cache usage. 1 means 100 percent usage.");
  const { queriedTokens, hitTokens } = cache.counts;
  add(
    "counter",
    "vllm:prefix_cache_queries",
    queriedTokens,
    "Prefix cache queries, in terms of number of queried tokens.",
  );
  add("counter", "vllm:prefix_cache_hits", hitTokens, "Prefix cache hits, in terms of number of cached tokens.");
  add("counter", "vllm:prompt_tokens", stats.promptTokens, "Number of prefill tokens processed.");
  add("counter", "vllm:generation_tokens", stats.completionTokens, "Number of generation tokens processed.");
  add("counter", "vllm:request_success", stats.completed, "Count of successfully processed requests.");
  add("counter", "vllm:num_preemptions", 0, "Cumulative number of preemption from the engine.");
  return `${lines.join("\n")}\n`;
}
