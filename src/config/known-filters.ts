/** The filters that a configuration may name. The caller gives them: filters are built upon configuration, not the reverse. */
import type { ZodType } from "zod";

/** What the configuration needs to know of one filter. */
export interface KnownFilter {
  /** As YAML names it: `think_tags`, `v1_chat_template`. */
  readonly name: string;
  readonly schema: ZodType;
}

/** The filters of one version of Sluice. */
export interface KnownFilters {
  /** What a route's `middlewares` may name. */
  readonly request: readonly KnownFilter[];
  /** What a target's `filters` may name. */
  readonly model: readonly KnownFilter[];
}

/**
 * The message type that belongs to a filter, in lower case: `v1_chat_template` goes with `ChatTemplateConfig`,
 * `v1_mcp_server` with `MCPServerConfig`. The published form names both, and they must agree.
 */
export function typeNameOf(filterName: string): string {
  return `${filterName.replace(/^v\d+_/, "").replaceAll("_", "")}config`.toLowerCase();
}

/** The last segment of a type URL such as `type.googleapis.com/infra.gateway.middleware.v1.ChatTemplateConfig`. */
export function lastSegment(typeUrl: string): string {
  return typeUrl.slice(Math.max(typeUrl.lastIndexOf("/"), typeUrl.lastIndexOf(".")) + 1);
}
