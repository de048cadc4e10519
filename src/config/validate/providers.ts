/** What a provider's schema cannot see: agreement between its fields, and between providers. */
import type { Entries } from "../document.ts";
import type { Findings } from "../findings.ts";
import type { ProviderDocument } from "../schema/provider.ts";
import { Unique } from "./unique.ts";

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
/** Set by Sluice for each request: framing and routing would break if they were constant. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export function validateProviders(providers: Entries<ProviderDocument>, findings: Findings): void {
  const names = new Unique("this provider name");
  for (const [index, provider] of providers.items.entries()) {
    if (provider === undefined) {
      continue;
    }
    const path = ["providers", index];
    names.claim(provider.name, [...path, "name"], findings);
    if (provider.kind === "builtin") {
      validateBuiltin(provider, path, findings);
    } else {
      validateNodes(provider, path, findings);
    }
    validateCredentials(provider, path, findings);
    validateHeaders(provider, path, findings);
  }
}

function validateBuiltin(provider: ProviderDocument, path: (string | number)[], findings: Findings): void {
  if (provider.dialect !== "openai") {
    findings.add([...path, "dialect"], "must be openai, which is what the built-in provider speaks");
  }
  const unused = { baseUrl: provider.baseUrl !== undefined, nodes: provider.nodes !== undefined };
  for (const [key, isThere] of [...Object.entries(unused), ["credentials", provider.credentials.length > 0] as const]) {
    if (isThere) {
      findings.addKey([...path, key], "means nothing for a built-in provider", "Remove it, or remove `kind: builtin`.");
    }
  }
}

function validateNodes(provider: ProviderDocument, path: (string | number)[], findings: Findings): void {
  if (provider.baseUrl === undefined && provider.nodes === undefined) {
    findings.add(path, "has neither `baseUrl` nor `nodes`", "Add `baseUrl: https://…`.");
  } else if (provider.baseUrl !== undefined && provider.nodes !== undefined) {
    findings.addKey([...path, "baseUrl"], "stands beside `nodes`", "Keep one of them; `nodes` takes several URLs.");
  }
  const urls = new Unique("this node");
  for (const [index, url] of (provider.nodes ?? []).entries()) {
    urls.claim(url, [...path, "nodes", index], findings);
  }
}

function validateCredentials(provider: ProviderDocument, path: (string | number)[], findings: Findings): void {
  const names = new Unique("this credential name");
  for (const [index, credential] of provider.credentials.entries()) {
    const here = [...path, "credentials", index];
    names.claim(credentialName(credential.name, index), [...here, "name"], findings);
    if (credential.apiKey.trim() !== credential.apiKey) {
      findings.add([...here, "apiKey"], "begins or ends with a space", "Remove it.");
    }
  }
}

/** The name of a credential that has none of its own. */
export function credentialName(name: string | undefined, index: number): string {
  return name ?? `credential-${index + 1}`;
}

function validateHeaders(provider: ProviderDocument, path: (string | number)[], findings: Findings): void {
  const names = new Unique("this header");
  for (const name of Object.keys(provider.headers)) {
    const here = [...path, "headers", name];
    names.claim(name.toLowerCase(), here, findings);
    if (!HEADER_NAME.test(name)) {
      findings.addKey(here, "is not a header's name");
    } else if (RESERVED_HEADERS.has(name.toLowerCase())) {
      findings.addKey(here, "is set by Sluice for every request", "Remove it.");
    }
  }
}
