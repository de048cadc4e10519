/** The configuration of a start without one: the built-in test model, and every vendor whose usual variable is set. */
import { buildSnapshot } from "./build.ts";
import { readDocument } from "./document.ts";
import { Findings } from "./findings.ts";
import { ollamaUrl } from "./ollama-host.ts";
import { providerSchema } from "./schema/provider.ts";
import type { Snapshot } from "./snapshot.ts";
import { Substitutor } from "./substitute.ts";
import type { Environment } from "./substitute.ts";
import { VENDORS } from "./vendors.ts";
import type { Vendor } from "./vendors.ts";

/** What a start without configuration needs. */
export interface ZeroConfigOptions {
  readonly environment: Environment;
  /** SHA-256 of the one key, 64 hexadecimal digits. */
  readonly keyHash: string;
}

/** A snapshot, and what could not be made of the environment. */
export interface ZeroConfig {
  readonly snapshot: Snapshot;
  /** Sentences for the operator; they name variables, never their values. */
  readonly warnings: readonly string[];
}

/** The built-in provider and its user model, which repeats what it is told. */
const OFFLINE = { name: "offline", dialect: "openai", kind: "builtin" };
const ECHO = { name: "echo", targets: [{ provider: OFFLINE.name, model: "echo" }] };

/** A provider as YAML would have it. */
type ProviderInput = Readonly<Record<string, unknown>> & { readonly name: string };

/**
 * The built-in model `echo`, and vendors' models as `openai/NAME`, for one consumer with one key. It listens on
 * loopback only: whoever tries Sluice has not chosen to open a vendor's account to the network.
 */
export function zeroConfig({ environment, keyHash }: ZeroConfigOptions): ZeroConfig {
  const warnings: string[] = [];
  const vendors = [
    ...VENDORS.flatMap((vendor) => vendorProvider(vendor, environment, warnings)),
    ...ollama(environment, warnings),
  ];
  const value = {
    server: { listen: "127.0.0.1:8080" },
    providers: [OFFLINE, ...vendors],
    models: [ECHO, ...vendors.map(({ name }) => ({ name: `${name}/*`, targets: [{ provider: name, model: "*" }] }))],
    consumers: [{ name: "default", grants: [{ model: "*" }], keys: [{ name: "first", hash: `sha256:${keyHash}` }] }],
  };
  const findings = new Findings();
  const directory = process.cwd();
  const substitutor = new Substitutor({}, directory);
  const snapshot = buildSnapshot(readDocument(value, findings), { directory, substitutor, findings });
  if (snapshot === undefined) {
    throw new Error("the built-in configuration is not valid");
  }
  return { snapshot, warnings };
}

function vendorProvider(vendor: Vendor, environment: Environment, warnings: string[]): ProviderInput[] {
  const keyVariable = vendor.keyVariables.find((variable) => isSet(environment[variable]));
  if (keyVariable === undefined) {
    return [];
  }
  const urlVariable = vendor.baseUrlVariable ?? "";
  const ownUrl = environment[urlVariable];
  const provider = {
    name: vendor.name,
    dialect: vendor.dialect,
    baseUrl: isSet(ownUrl) ? ownUrl.trim() : vendor.baseUrl,
    credentials: [{ name: "environment", apiKey: environment[keyVariable]?.trim() }],
  };
  const result = providerSchema.safeParse(provider);
  if (!result.success) {
    const isUrl = result.error.issues.some((issue) => issue.path[0] === "baseUrl");
    warnings.push(unusable(isUrl ? urlVariable : keyVariable, vendor.name));
    return [];
  }
  return [provider];
}

function ollama(environment: Environment, warnings: string[]): ProviderInput[] {
  const value = environment["OLLAMA_HOST"];
  if (!isSet(value)) {
    return [];
  }
  const baseUrl = ollamaUrl(value);
  if (baseUrl === undefined) {
    warnings.push(unusable("OLLAMA_HOST", "ollama"));
    return [];
  }
  return [{ name: "ollama", dialect: "openai", engine: "ollama", baseUrl }];
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== "";
}

function unusable(variable: string, provider: string): string {
  return `The environment variable ${variable} holds no usable value, so ${provider} is not offered.`;
}
