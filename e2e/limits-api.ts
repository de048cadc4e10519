/** Limits that are set at run time, as tests set them. */
import type { JsonObject } from "../src/lib/json.ts";
import type { RunningGateway } from "./harness.ts";

export interface LimitsReply {
  readonly status: number;
  readonly body: JsonObject;
  readonly ms: number;
}

/** Asks `/admin/v1/limits`; `path` is a kind and a name, or "" for all. */
export async function askLimits(
  { adminUrl }: Pick<RunningGateway, "adminUrl">,
  method: "GET" | "PUT" | "DELETE",
  path: string,
  limits?: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): Promise<LimitsReply> {
  const startedAt = performance.now();
  const answer = await fetch(`${adminUrl}/admin/v1/limits${path === "" ? "" : `/${path}`}`, {
    method,
    headers: { ...(limits !== undefined && { "content-type": "application/json" }), ...headers },
    ...(limits !== undefined && { body: JSON.stringify(limits) }),
  });
  const body = (await answer.json()) as JsonObject;
  return { status: answer.status, body, ms: performance.now() - startedAt };
}

/** What was set, by subject. */
export async function limitsSet(gateway: Pick<RunningGateway, "adminUrl">): Promise<ReadonlyMap<string, JsonObject>> {
  const { body } = await askLimits(gateway, "GET", "");
  return new Map((body["limits"] as JsonObject[]).map((entry) => [String(entry["subject"]), entry]));
}
