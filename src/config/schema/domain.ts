/** `domains`: the host names that clients call, and what answers there. */
import { domainToASCII } from "node:url";
import { z } from "zod";
import { duration } from "./duration.ts";
import { middlewareSchema } from "./middleware.ts";
import { dialect } from "./provider.ts";
import { flag, name } from "./scalars.ts";
import { section } from "./section.ts";

const LABELS = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()+,=:@]|%[0-9A-Fa-f]{2}|\/(?!\/))*$/;
const AMBIGUOUS = /\/\.{1,2}(?:\/|$)|%2[ef]|%5c|%00|%3b/i;

const HOST = "must be a host name, `*.` and a host name, or `*`";

function normaliseHost(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (lower === "*" || /^\[[0-9a-f:.]+\]$/.test(lower)) {
    return lower;
  }
  const wildcard = lower.startsWith("*.") ? "*." : "";
  const ascii = domainToASCII(lower.slice(wildcard.length).replace(/\.$/, ""));
  return LABELS.test(ascii) ? wildcard + ascii : undefined;
}

const host = z.string().transform((text, context) => {
  if (/:\d+$/.test(text) && !text.endsWith("]")) {
    context.addIssue({
      code: "custom",
      message: `${HOST}, without a port`,
      params: { remedy: "Hosts match on every port." },
    });
    return z.NEVER;
  }
  const normal = normaliseHost(text);
  if (normal === undefined) {
    context.addIssue({ code: "custom", message: HOST });
    return z.NEVER;
  }
  return normal;
});

function complainAboutPath(text: string): string | undefined {
  if (!text.startsWith("/")) {
    return "must begin with /";
  }
  const fixed = text.endsWith("/*") ? text.slice(0, -1) : text;
  if (fixed.includes("*")) {
    return "may have * only as its last segment (/v1/*)";
  }
  if (!PATH.test(fixed) || AMBIGUOUS.test(fixed)) {
    return "must be a plain path: no //, no . or .. segments, no query, other characters percent-encoded";
  }
  return text.length > 1_024 ? "must be at most 1024 characters" : undefined;
}

const path = z.string().superRefine((text, context) => {
  const message = complainAboutPath(text);
  if (message !== undefined) {
    context.addIssue({ code: "custom", message });
  }
});

/** The published form says `protocol: HTTP`; there is no other, so it says nothing. */
const protocol = z.enum(["HTTP"]);

const routeSchema = section({
  path: path.describe("An exact path, or a beginning and `/*`"),
  api: z
    .union([dialect, z.array(dialect).min(1)], { error: "must be openai, anthropic, or a list of them" })
    .optional()
    .describe("The clients' dialects that answer here"),
  middlewares: z.array(middlewareSchema).max(100).default([]).describe("Filters for requests on this route"),
  timeout: duration.optional().describe("Bounds a request here instead of the provider's total timeout"),
  protocol: protocol.optional().describe("Always HTTP; may be left out"),
  exposeHeaders: flag.prefault(false).describe("Adds the x-sluice-* headers to answers"),
  dropUnsupported: flag
    .prefault(false)
    .describe("Leaves out fields that a target cannot take, and says so in x-sluice-dropped, instead of refusing"),
});

/** One domain. */
export const domainSchema = section({
  host: host.describe("A host name, `*.example.com` for every name below, or `*` for any other"),
  consumers: z.array(name).max(100_000).optional().describe("Who may use this domain; everybody if left out"),
  routes: z.array(routeSchema).min(1, "must not be empty").max(100_000).describe("What answers here"),
});

export type DomainDocument = z.output<typeof domainSchema>;
export type RouteDocument = DomainDocument["routes"][number];
