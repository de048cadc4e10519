/** What the schema of `state` cannot see: agreement between its fields. */
import type { Findings } from "../findings.ts";
import type { StateDocument } from "../schema/state.ts";

export function validateState({ redis }: StateDocument, findings: Findings): void {
  if ("node" in redis) {
    return;
  }
  const path = ["state", "redis"];
  const { url, nodes, sentinel, tls } = redis;
  const places = Object.entries({ url, nodes, sentinel }).filter(([, value]) => value !== undefined);
  if (places.length === 0) {
    findings.add(path, "names no server", "Add `url`, `nodes` (a cluster), or `sentinel`.");
  }
  for (const [key] of places.slice(1)) {
    findings.addKey([...path, key], `stands beside \`${places[0]![0]}\``, "Keep one of them.");
  }
  if (redis.database !== undefined && sentinel === undefined) {
    const remedy = nodes === undefined ? "Write it into the URL: redis://host:6379/1." : "Remove it.";
    findings.addKey(
      [...path, "database"],
      nodes === undefined ? "stands beside a URL" : "clusters have only 0",
      remedy,
    );
  }
  for (const key of ["username", "password"] as const) {
    if (redis[key] !== undefined && url?.[key] !== undefined) {
      findings.addKey([...path, key], "is in the URL as well", "Keep one of them.");
    }
  }
  if ((redis.username ?? url?.username) !== undefined && (redis.password ?? url?.password) === undefined) {
    findings.add(path, "has a user name without a password", "Add `password`.");
  }
  if (sentinel?.username !== undefined && sentinel.password === undefined) {
    findings.add([...path, "sentinel"], "has a user name without a password", "Add `password`.");
  }
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    findings.add([...path, "tls"], "has only one of `cert` and `key`", "Give both, or neither.");
  }
}
