/** Addresses to listen on: `0.0.0.0:8080`, `[::1]:8080`, `:8080`. */
import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import type { ListenConfig } from "../snapshot.ts";

const HOST_NAME =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** What a text such as `127.0.0.1:8080` names (port 0: any free one); undefined if it is no such thing. */
export function parseListen(text: string): ListenConfig | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) {
    return undefined;
  }
  const [, bracketed, plain = ""] = match;
  const port = Number(match[3]);
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  }
  if (plain === "") {
    return { host: "0.0.0.0", port };
  }
  return isIPv4(plain) || (HOST_NAME.test(plain) && !/^[\d.]+$/.test(plain)) ? { host: plain, port } : undefined;
}

const MESSAGE = "must be an address and a port, such as 0.0.0.0:8080, [::1]:8080 or :8080";

/** An address to listen on. */
export const listen = z.string({ error: MESSAGE }).transform((text, context) => {
  const parsed = parseListen(text);
  if (parsed === undefined) {
    context.addIssue({ code: "custom", message: MESSAGE });
    return z.NEVER;
  }
  return parsed;
});
